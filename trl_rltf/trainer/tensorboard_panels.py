"""Show outcome shares in one chart, and completions, in TensorBoard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from transformers import TrainerCallback
from transformers.integrations import TensorBoardCallback


MAX_ROWS = 16  # of a table; TensorBoard shows tables as text, which cannot be sorted
_COLUMNS = ("outcome", "tests_passed", "error_type", "first_failure", "rltf_advantage", "marked_completion")
_OUTCOMES = ("pass", "failure", "runtime_error", "syntax_error", "not_gradable")
# `transformers` gives the names of metrics these prefixes.
_LAYOUT = {
    "RLTF": {
        "outcome shares": ["Multiline", [f"train/outcome/{name}" for name in _OUTCOMES]],
        "outcome shares, held-out problems": ["Multiline", [f"eval/outcome/{name}" for name in _OUTCOMES]],
    }
}


class TensorBoardPanels(TrainerCallback):
    """
    Log a chart of outcome shares and a table of completions to TensorBoard.

    TRL logs its completions table to trackio and wandb only. The trainer adds this callback if `report_to` has `tensorboard`; the table
    needs `log_completions`.

    Args:
        trainer ([`RLTFTrainer`]): The trainer.
    """

    def __init__(self, trainer: Any):
        self._trainer = trainer
        self._has_layout = False

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Log the table of the latest generation batch, next to its metrics."""
        # The callback of `transformers` comes first and has made its writer.
        callbacks = self._trainer.callback_handler.callbacks
        writers = (callback.tb_writer for callback in callbacks if isinstance(callback, TensorBoardCallback))
        writer = next((writer for writer in writers if writer is not None), None)
        if writer is None or not state.is_world_process_zero or "train_runtime" in (logs or {}):
            return
        if not self._has_layout:
            writer.add_custom_scalars(_LAYOUT)
            self._has_layout = True
        recent = self._trainer._logs
        if args.log_completions and recent["completion"]:
            extra = {name: recent["extra"][name] for name in _COLUMNS if name in recent["extra"]}
            writer.add_text("completions", completions_as_markdown(extra), state.global_step)
            writer.flush()


def completions_as_markdown(columns: Mapping[str, Iterable[Any]]) -> str:
    """
    Write completions as a table in Markdown, with all text escaped.

    Args:
        columns (`Mapping[str, Iterable]`): Values by name of the column.

    Returns:
        `str`: The table, with at most 16 rows, the latest ones.
    """
    rows: Sequence[tuple[Any, ...]] = list(zip(*columns.values(), strict=False))[-MAX_ROWS:]
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(_as_cell(value) for value in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _as_cell(value: Any) -> str:
    text = "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    # Entities, so that nothing in a program is read as HTML, as Markdown or as the end of a cell.
    escaped = "".join(f"&#{ord(sign)};" if sign in "&<>|`*_[]\\#~!$" else sign for sign in text)
    return escaped.replace("\r", "").replace("\n", "<br>").replace("  ", "&nbsp; ")
