"""Resume a run exactly where a checkpoint was written."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from datasets import Dataset

from . import state_files
from .buffer_refresh import BufferRefresh
from .prompt_order import PromptOrder
from .reference_loss import ReferenceLoss
from .rltf_config import RLTFConfig


logger = logging.getLogger(__name__)

_ROWS_IN_FINGERPRINT = 64


class ExactResume:
    """
    Save and restore the state of a run that TRL's checkpoints lack.

    It is the online buffer, or the batches left of the last generation, and the states of random numbers.

    Args:
        args ([`RLTFConfig`]): Settings.
        accelerator ([`~accelerate.Accelerator`]): Accelerator of the trainer.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer that decodes samples for readers.
        train_dataset ([`~datasets.Dataset`] or [`~datasets.IterableDataset`]): Training set.
        reference_loss ([`ReferenceLoss`]): Reference solutions, with their random numbers.
        buffer_refresh ([`BufferRefresh`], *optional*): Online buffer and position in the prompts.
        prompt_order ([`PromptOrder`], *optional*): Order of the prompts, if it is not that of TRL's data loader.
    """

    def __init__(
        self,
        args: RLTFConfig,
        accelerator: Any,
        tokenizer: Any,
        train_dataset: Any,
        reference_loss: ReferenceLoss,
        buffer_refresh: BufferRefresh | None = None,
        prompt_order: PromptOrder | None = None,
    ):
        self._args = args
        self._accelerator = accelerator
        self._tokenizer = tokenizer
        self._train_dataset = train_dataset
        self._reference_loss = reference_loss
        self._refresh = buffer_refresh
        self._prompt_order = prompt_order
        self._loaded: Any = None

    @property
    def is_loaded(self) -> bool:
        """Whether a checkpoint was loaded and not restored yet."""
        return self._loaded is not None

    def discard(self) -> None:
        """Discard a loaded checkpoint."""
        self._loaded = None

    def save(self, folder: str, micro_step: int, pending_batches: list[dict[str, Any]] | None) -> None:
        """
        Save the state of this process, unless `save_only_model` is set.

        Args:
            folder (`str`): Folder of the checkpoint.
            micro_step (`int`): Number of training batches so far.
            pending_batches (`list[dict]` or `None`): Batches of the last generation.
        """
        args = self._args
        if args.save_only_model:
            return
        is_in_between = micro_step % (args.steps_per_generation * args.num_iterations) != 0
        random_state = state_files.random_state(self._reference_loss.generator)
        state: dict[str, Any] = {"step": micro_step, "reference_random_state": random_state}
        corrections = self._reference_loss.corrections
        if corrections is not None:
            state["corrections"] = corrections.state()
        samples, batches = None, pending_batches if is_in_between else None
        if self._refresh is not None:
            samples, batches = self._refresh.buffer.samples, None
            state["online_buffer"] = self._refresh.buffer.state()
            state["num_generation_batches"] = self._refresh.num_generation_batches
        if self._prompt_order is not None:
            state["prompt_order"] = self._prompt_order.state()
        rank = self._accelerator.process_index
        state_files.save(folder, rank, self._settings(), state, samples, batches, self._tokenizer)

    def load(self, folder: str) -> None:
        """
        Load the state of this process.

        Args:
            folder (`str`): Folder of the checkpoint.

        Raises:
            ValueError: If the checkpoint is damaged or from a run with other settings.
        """
        self._loaded = state_files.load(folder, self._accelerator.process_index, self._settings())

    def restore(self, step: int) -> tuple[int, list[dict[str, Any]] | None]:
        """
        Restore the loaded state.

        Args:
            step (`int`): Number of optimizer steps so far.

        Returns:
            `tuple`: The number of training batches so far, and the batches left of the last generation or `None`.
        """
        (state, samples, batches), self._loaded = self._loaded, None
        state_files.set_random_state(self._reference_loss.generator, state["reference_random_state"])
        if self._reference_loss.corrections is not None:
            self._reference_loss.corrections.restore(state["corrections"])
        if self._prompt_order is not None:
            self._prompt_order.restart(state["prompt_order"])
        if self._refresh is not None:
            self._refresh.restart(state["num_generation_batches"])
            self._refresh.buffer.restore(state["online_buffer"], samples, step)
        device = self._accelerator.device
        pending = batches and [{key: value.to(device) for key, value in batch.items()} for batch in batches]
        return state["step"], pending

    def _settings(self) -> dict[str, Any]:
        return lasting_settings(
            self._args,
            self._accelerator.num_processes,
            self._train_dataset,
            None if self._refresh is None else self._refresh.buffer.settings,
            self._reference_loss.weight > 0,
        )


def last_complete_checkpoint(output_dir: str, is_shared: bool) -> tuple[str | None, list[str]]:
    """
    Find the newest complete checkpoint.

    Args:
        output_dir (`str`): Folder of the checkpoints.
        is_shared (`bool`): Whether all processes write to this folder, so that it must hold the state of each.

    Returns:
        `tuple[str | None, list[str]]`: The checkpoint, and newer ones that are incomplete.
    """
    numbered = [
        (int(path.name.rpartition("-")[2]), path)
        for path in Path(output_dir).glob("checkpoint-*")
        if path.name.rpartition("-")[2].isdigit()
    ]
    incomplete: list[str] = []
    for _, path in sorted(numbered, reverse=True):
        if _is_complete(path, is_shared):
            return str(path), incomplete
        incomplete.append(str(path))
    return None, incomplete


def newest_checkpoint(output_dir: str, is_shared: bool) -> str:
    """
    Return the newest complete checkpoint, and warn of incomplete ones.

    Args:
        output_dir (`str`): Folder of the checkpoints.
        is_shared (`bool`): Whether all processes write to this folder.

    Returns:
        `str`: Folder of the checkpoint.

    Raises:
        ValueError: If there is none.
    """
    found, incomplete = last_complete_checkpoint(output_dir, is_shared)
    for path in incomplete:
        logger.warning("%s is incomplete, because writing it was interrupted; an earlier one is used.", path)
    if found is None:
        raise ValueError(f"There is no complete checkpoint in {output_dir} to resume from.")
    return found


def _is_complete(path: Path, is_shared: bool) -> bool:
    # The state files are written first, and `trainer_state.json` last.
    try:
        json.loads((path / "trainer_state.json").read_text())
        num_processes, num_states = state_files.saved_processes(str(path))
    except (OSError, ValueError, KeyError):
        return False
    return num_states >= (num_processes if is_shared else 1) or not state_files.has_any(str(path))


def completed_epochs(folder: str) -> int:
    """Return the number of epochs completed before a checkpoint; 0 if unknown."""
    try:
        epoch = json.loads((Path(folder) / "trainer_state.json").read_text())["epoch"]
    except (OSError, ValueError, KeyError):
        return 0
    return int((epoch or 0) + 1e-6)


def lasting_settings(
    args: RLTFConfig,
    num_processes: int,
    train_dataset: Any,
    buffer_settings: dict[str, Any] | None,
    has_references: bool,
) -> dict[str, Any]:
    """
    Return the settings that must not change when training resumes.

    Args:
        args ([`RLTFConfig`]): Settings.
        num_processes (`int`): Number of processes.
        train_dataset ([`~datasets.Dataset`] or [`~datasets.IterableDataset`]): Training set.
        buffer_settings (`dict` or `None`): Settings of the online buffer, if there is one.
        has_references (`bool`): Whether reference solutions are in the loss.

    Returns:
        `dict`: Values by name, as plain data for JSON.
    """
    names = (
        "num_generations per_device_train_batch_size gradient_accumulation_steps steps_per_generation num_iterations seed "
        "baseline shuffle_dataset"
    ).split()
    settings = {name: getattr(args, name) for name in names}
    settings["ce_loss_weight > 0"] = has_references
    if args.correction_share > 0:
        settings["correction_share > 0"] = True
    settings["max_generation_batches > 1 or curriculum_probability < 1"] = args.orders_prompts
    settings["beta != 0"] = args.beta != 0
    settings["num_processes"] = num_processes
    settings["train_dataset"] = fingerprint(train_dataset)
    settings["online_buffer"] = buffer_settings
    return settings


def fingerprint(dataset: Any) -> str:
    """Return a text that identifies a dataset by length, columns and some rows."""
    columns = ", ".join(sorted(dataset.column_names or []))
    if not isinstance(dataset, Dataset):
        return f"a stream of {columns}"
    step = max(1, len(dataset) // _ROWS_IN_FINGERPRINT)
    rows = [dataset[index] for index in range(0, len(dataset), step)]
    digest = hashlib.sha256(json.dumps(rows, default=str, sort_keys=True).encode()).hexdigest()
    return f"{len(dataset)} rows of {columns}, {digest[:16]}"
