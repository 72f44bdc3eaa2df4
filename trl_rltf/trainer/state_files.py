"""
Write and read the files of a checkpoint that TRL does not write.

The online buffer is a parquet file, batches are safetensors, other state is JSON.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import safetensors.torch
import torch

from .samples import Sample


_FORMAT = 1
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
    Save the state of one process.

    Args:
        folder (`str`): Folder of the checkpoint; created if it does not exist.
        rank (`int`): Number of the process.
        settings (`dict`): Settings that must not change when training resumes.
        state (`dict`): Numbers and generator states, as plain data for JSON.
        samples (`list` or `None`): Samples of the online buffer, each after the step at which it was generated.
        batches (`list[dict]` or `None`): Batches of the last generation that are still to be trained on.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer that decodes the columns of text for readers.
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
    Load the state that [`save`] wrote.

    Args:
        folder (`str`): Folder of the checkpoint.
        rank (`int`): Number of the process.
        settings (`dict`): Settings of the run that resumes.

    Returns:
        `tuple`: The state, the samples of the buffer or `None`, and the batches of the last generation or `None`.

    Raises:
        ValueError: If the checkpoint has no such state, is damaged, or is from a run with other settings.
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
            raise ValueError(
                f"The checkpoint {folder} is damaged: {file} {_damage(file)}. Resume from an earlier one."
            )
    buffer, batches = _path(folder, _BUFFER, rank, "parquet"), _path(folder, _BATCHES, rank, "safetensors")
    samples = _samples(pq.read_table(buffer), content["dtypes"]) if buffer.name in content["files"] else None
    rest = _batches(safetensors.torch.load_file(batches)) if batches.name in content["files"] else None
    return content["state"], samples, rest


def saved_processes(folder: str) -> tuple[int, int]:
    """
    Return the number of processes of the run of a checkpoint, and of their states.

    Args:
        folder (`str`): Folder of the checkpoint.

    Returns:
        `tuple[int, int]`: Number of processes, and number of state files.

    Raises:
        ValueError: If a state file is damaged.
    """
    states = list(Path(folder).glob(f"{_FOLDER}/{_STATE}-rank*.json"))
    return (_read_state(states[0])["settings"]["num_processes"] if states else 0), len(states)


def has_any(folder: str) -> bool:
    """Return whether a checkpoint has a folder of state files."""
    return (Path(folder) / _FOLDER).exists()


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
            f"The checkpoint {folder} is from a run with other settings: {'; '.join(different)}. Resume with those of the "
            f"checkpoint, or start a new run with `model={str(folder)!r}`."
        )


def _damage(file: Path) -> str:
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


def random_state(generator: torch.Generator) -> str:
    """Return the state of a generator as text."""
    return bytes(generator.get_state().tolist()).hex()


def set_random_state(generator: torch.Generator, state: str) -> None:
    """Set the state of a generator to a result of [`random_state`]."""
    generator.set_state(torch.tensor(list(bytes.fromhex(state)), dtype=torch.uint8))
