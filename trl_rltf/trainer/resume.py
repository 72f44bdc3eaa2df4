"""What a checkpoint holds beside TRL's: the online buffer as a parquet file, and the state of a run as JSON."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import safetensors.torch
import torch
from datasets import Dataset

from .online_buffer import Sample
from .rltf_config import RLTFConfig


logger = logging.getLogger(__name__)

_FORMAT = 1
_ROWS_LOOKED_AT = 64
_FOLDER, _STATE, _BUFFER, _BATCHES = "rltf", "state", "online_buffer", "generation_batch"
_DTYPES = {
    str(dtype): dtype for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int8)
}


def _path(folder: str, name: str, rank: int, suffix: str) -> Path:
    return Path(folder) / _FOLDER / f"{name}-rank{rank}.{suffix}"


def save(
    folder: str,
    rank: int,
    settings: dict[str, Any],
    state: dict[str, Any],
    samples: list[tuple[int, Sample]] | None,
    batches: list[dict[str, Any]] | None,
    tokenizer: Any,
) -> None:
    """
    Write what one process has to remember.

    Args:
        folder (`str`): Folder of the checkpoint; made if it is not there.
        rank (`int`): Number of the process.
        settings (`dict`): What has to be the same when training resumes.
        state (`dict`): Numbers and generator states, as JSON can hold them.
        samples (`list`, *optional*): The content of the online buffer: the step that each sample was generated at, and it.
        batches (`list[dict]`, *optional*): Batches of the last generation that are still to be trained on.
        tokenizer (`Any`): For the columns of text, which are there for people.
    """
    state_path = _path(folder, _STATE, rank, "json")
    state_path.parent.mkdir(parents=True, exist_ok=True)
    state_path.unlink(missing_ok=True)
    files = {}
    dtypes: dict[str, str] = {}
    if samples is not None:
        path = _path(folder, _BUFFER, rank, "parquet")
        if samples:
            dtypes = {key: str(value.dtype) for key, value in samples[0][1].items()}
        pq.write_table(_table(samples, tokenizer), path)
        files[path.name] = _digest(path)
    if batches is not None:
        path = _path(folder, _BATCHES, rank, "safetensors")
        tensors = {
            f"{i}.{key}": value.contiguous().clone() for i, batch in enumerate(batches) for key, value in batch.items()
        }
        safetensors.torch.save_file(tensors, path)
        files[path.name] = _digest(path)
    content = {"format": _FORMAT, "settings": settings, "state": state, "dtypes": dtypes, "files": files}
    state_path.write_text(json.dumps(content, indent=1))


def load(
    folder: str, rank: int, settings: dict[str, Any]
) -> tuple[dict[str, Any], list[tuple[int, Sample]] | None, list[dict[str, Any]] | None]:
    """
    Read what [`save`] wrote.

    Args:
        folder (`str`): Folder of the checkpoint.
        rank (`int`): Number of the process.
        settings (`dict`): Those of the run that resumes.

    Returns:
        `tuple`: The state, the samples of the buffer, and the batches of the last generation; `None` where there were none.

    Raises:
        ValueError: If the checkpoint has no such state, is damaged, or is that of a run with other settings.
    """
    path = _path(folder, _STATE, rank, "json")
    other_ranks = sorted(Path(folder).glob(f"{_FOLDER}/{_STATE}-rank*.json"))
    if not path.exists() and not other_ranks:
        raise ValueError(
            f"The checkpoint {folder} has no state of an RLTF run (no {path.relative_to(folder)}). Another trainer wrote it, or "
            f"its writing was interrupted. Resume from another one, or start a new run with `model={str(folder)!r}`."
        )
    content = _read_state(path if path.exists() else other_ranks[0])
    _compare(folder, content["settings"], settings)
    if not path.exists():
        raise ValueError(f"The checkpoint {folder} is damaged: {path} is missing. Resume from an earlier one.")
    for name, digest in content["files"].items():
        file = path.parent / name
        if not file.exists() or _digest(file) != digest:
            raise ValueError(f"The checkpoint {folder} is damaged: {file} {_what(file)}. Resume from an earlier one.")
    buffer, batches = _path(folder, _BUFFER, rank, "parquet"), _path(folder, _BATCHES, rank, "safetensors")
    samples = _samples(pq.read_table(buffer), content["dtypes"]) if buffer.name in content["files"] else None
    rest = _batches(safetensors.torch.load_file(batches)) if batches.name in content["files"] else None
    return content["state"], samples, rest


def last_whole_checkpoint(output_dir: str, is_shared: bool) -> tuple[str | None, list[str]]:
    """
    Find the newest checkpoint whose writing came to its end.

    Args:
        output_dir (`str`): Where checkpoints are.
        is_shared (`bool`): Whether all processes write to this folder, so that the state of each has to be there.

    Returns:
        `tuple[str | None, list[str]]`: It, and newer ones that are not whole.
    """
    numbered = [
        (int(path.name.rpartition("-")[2]), path)
        for path in Path(output_dir).glob("checkpoint-*")
        if path.name.rpartition("-")[2].isdigit()
    ]
    broken: list[str] = []
    for _, path in sorted(numbered, reverse=True):
        if _is_whole(path, is_shared):
            return str(path), broken
        broken.append(str(path))
    return None, broken


def newest(output_dir: str, is_shared: bool) -> str:
    """
    The checkpoint to resume from: as [`last_whole_checkpoint`] finds it, with a warning for each that is passed over.

    Args:
        output_dir (`str`): Where checkpoints are.
        is_shared (`bool`): Whether all processes write to this folder.

    Raises:
        ValueError: If there is none.
    """
    found, broken = last_whole_checkpoint(output_dir, is_shared)
    for path in broken:
        logger.warning("%s is not whole, because writing it was interrupted; an earlier one is used.", path)
    if found is None:
        raise ValueError(f"There is no whole checkpoint in {output_dir} to resume from.")
    return found


def _is_whole(path: Path, is_shared: bool) -> bool:
    # Ours is written first, and the trainer's own state last of all.
    states = list(path.glob(f"{_FOLDER}/{_STATE}-rank*.json"))
    try:
        json.loads((path / "trainer_state.json").read_text())
        expected = _read_state(states[0])["settings"]["num_processes"] if states else 0
    except (OSError, ValueError, KeyError):
        return False
    return len(states) >= (expected if is_shared else 1) or not (path / _FOLDER).exists()


def completed_epochs(folder: str) -> int:
    """Epochs that a run had completed when it wrote this checkpoint; 0 if the checkpoint does not say."""
    try:
        epoch = json.loads((Path(folder) / "trainer_state.json").read_text())["epoch"]
    except (OSError, ValueError, KeyError):
        return 0
    return int((epoch or 0) + 1e-6)


def _read_state(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        if content["format"] != _FORMAT:
            raise ValueError(f"it has format {content['format']}, and this version reads {_FORMAT}")
        return {key: content[key] for key in ("settings", "state", "dtypes", "files")}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"The checkpoint is damaged: {path} cannot be read ({error}). Resume from an earlier one."
        ) from error


def _compare(folder: str, saved: dict[str, Any], wanted: dict[str, Any]) -> None:
    different = [
        f"`{name}` was {saved.get(name)!r} and is {wanted.get(name)!r}"
        for name in sorted({*saved, *wanted})
        if saved.get(name) != wanted.get(name)
    ]
    if different:
        raise ValueError(
            f"The checkpoint {folder} is of a run with other settings: {'; '.join(different)}. Resume with those of the "
            f"checkpoint, or start a new run with `model={str(folder)!r}`."
        )


def _what(file: Path) -> str:
    return "has other content than was written" if file.exists() else "is missing"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _table(samples: list[tuple[int, Sample]], tokenizer: Any) -> pa.Table:
    columns: dict[str, Any] = {"step": pa.array([step for step, _ in samples], pa.int64())}
    for key in samples[0][1] if samples else ():
        values = [sample[key] for _, sample in samples]
        kind = pa.float32() if values[0].is_floating_point() else pa.from_numpy_dtype(values[0].numpy().dtype)
        rows = [value.float().numpy() if value.is_floating_point() else value.numpy() for value in values]
        columns[key] = pa.array(rows, pa.list_(kind))
    for part in ("prompt", "completion"):
        if samples:
            ids = [sample[f"{part}_ids"].tolist() for _, sample in samples]
            columns[part] = pa.array(tokenizer.batch_decode(ids), pa.string())
    return pa.table(columns)


def _samples(table: pa.Table, dtypes: dict[str, str]) -> list[tuple[int, Sample]]:
    columns = {key: table[key].to_pylist() for key in dtypes}
    steps = table["step"].to_pylist()
    return [
        (step, {key: torch.tensor(columns[key][row], dtype=_DTYPES[dtype]) for key, dtype in dtypes.items()})
        for row, step in enumerate(steps)
    ]


def _batches(tensors: dict[str, torch.Tensor]) -> list[dict[str, Any]]:
    count = 1 + max(int(name.partition(".")[0]) for name in tensors)
    batches: list[dict[str, Any]] = [{} for _ in range(count)]
    for name, value in tensors.items():
        number, _, key = name.partition(".")
        batches[int(number)][key] = value
    return batches


def lasting_settings(
    args: RLTFConfig,
    num_processes: int,
    train_dataset: Any,
    buffer_settings: dict[str, Any] | None,
    has_references: bool,
) -> dict[str, Any]:
    """
    What has to be the same when training resumes, for the rest to be the same.

    Args:
        args ([`RLTFConfig`]): Settings.
        num_processes (`int`): Number of processes.
        train_dataset ([`~datasets.Dataset`] or [`~datasets.IterableDataset`]): Training set.
        buffer_settings (`dict` or `None`): Settings of the online buffer, if there is one.
        has_references (`bool`): Whether reference solutions are in the loss.

    Returns:
        `dict`: Plain values by name.
    """
    names = (
        "num_generations per_device_train_batch_size gradient_accumulation_steps steps_per_generation num_iterations seed "
        "baseline shuffle_dataset"
    ).split()
    settings = {name: getattr(args, name) for name in names}
    settings["ce_loss_weight > 0"] = has_references
    settings["beta != 0"] = args.beta != 0
    settings["num_processes"] = num_processes
    settings["train_dataset"] = fingerprint(train_dataset)
    settings["online_buffer"] = buffer_settings
    return settings


def fingerprint(dataset: Any) -> str:
    """What identifies a data set: its length, its columns, and some of its rows."""
    columns = ", ".join(sorted(dataset.column_names or []))
    if not isinstance(dataset, Dataset):
        return f"a stream of {columns}"
    step = max(1, len(dataset) // _ROWS_LOOKED_AT)
    rows = [dataset[index] for index in range(0, len(dataset), step)]
    digest = hashlib.sha256(json.dumps(rows, default=str, sort_keys=True).encode()).hexdigest()
    return f"{len(dataset)} rows of {columns}, {digest[:16]}"
