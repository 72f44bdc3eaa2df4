"""Show the progress of a training in one line, in place of printed logs."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm
from transformers import PrinterCallback, ProgressCallback, TrainerCallback
from transformers.trainer_utils import has_length


# Words of the outcomes in the line, which must be short.
_OUTCOMES = {
    "outcome/pass": "pass",
    "outcome/failure": "wrong",
    "outcome/runtime_error": "crash",
    "outcome/syntax_error": "syntax",
    "outcome/not_gradable": "not gradable",
}
_WITHOUT_OUTCOMES = ("reward", "loss")  # the first of them that is logged is shown


class ProgressLine(TrainerCallback):
    """
    Show the progress of a training in one live line that fits the terminal.

    The line has the step, the time left, the share of tests that pass, the share of programs with each outcome, and the latest held-out
    pass@1. The shares are those of the latest log (`logging_steps`); without outcomes, the line has the reward or the loss. If the
    output is not a terminal, or `disable_tqdm` is set, a line is printed at intervals instead.

    [`add_progress_line`] adds it to a trainer and removes the printing of logs by `transformers`.

    Args:
        seconds_between_lines (`float`, *optional*, defaults to `15.0`): Minimum number of seconds between two printed lines, if the
            output is not a terminal. The first values and the last step are always printed.
    """

    def __init__(self, *, seconds_between_lines: float = 15.0):
        if not seconds_between_lines >= 0:
            raise ValueError(
                f"`seconds_between_lines` is {seconds_between_lines}, but must be at least 0. Use 0 for a line per log."
            )
        self._seconds_between_lines = seconds_between_lines
        self._bar: Any = None
        self._values: dict[str, float] = {}
        self._num_eval_batches = 0
        self._start = self._last_line = 0.0
        self._first_step = self._printed_step = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the line."""
        self._values = {}
        self._num_eval_batches = 0
        self._start, self._last_line = time.monotonic(), float("-inf")
        self._first_step = state.global_step  # of a resumed training, not 0
        self._printed_step = state.global_step
        if state.is_world_process_zero and not args.disable_tqdm and sys.stdout.isatty():
            settings: dict[str, Any] = {"file": sys.stdout, "dynamic_ncols": True, "bar_format": "{desc} {bar}"}
            self._bar = tqdm(total=state.max_steps, initial=state.global_step, **settings)
            self._show(state)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count a step."""
        if self._bar is not None:
            self._bar.n = state.global_step
            self._show(state)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Take the values of a log."""
        if not state.is_world_process_zero or not logs or "train_runtime" in logs:
            return
        is_evaluation = any(name.startswith("eval_") for name in logs)
        if not is_evaluation:
            self._values = {name: value for name, value in self._values.items() if name.startswith("eval_")}
        # The log of an evaluation has no `outcome/...`, but `eval_outcome/...`.
        self._values |= {name: value for name, value in logs.items() if isinstance(value, (int, float))}
        if self._bar is not None:
            self._show(state)
        elif self._start:
            now = time.monotonic()
            is_due = now - self._last_line >= self._seconds_between_lines
            if is_due or is_evaluation:
                self._last_line = now
                self._print(state)

    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count a batch of an evaluation."""
        if self._bar is not None:
            self._num_eval_batches += 1
            loader = kwargs.get("eval_dataloader")
            total = f"/{len(loader)}" if loader is not None and has_length(loader) else ""
            self._show(state, f"evaluating {self._num_eval_batches}{total}")

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """End an evaluation."""
        self._num_eval_batches = 0
        if self._bar is not None:
            self._show(state)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Leave the last state of the line on the screen."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        elif state.is_world_process_zero and self._printed_step != state.global_step:
            self._print(state)
        self._start = 0.0

    def _print(self, state: Any) -> None:
        sys.stdout.write(f"{self._text(state)}\n")
        sys.stdout.flush()
        self._printed_step = state.global_step

    def _show(self, state: Any, activity: str = "") -> None:
        self._bar.set_description_str(self._text(state, activity), refresh=False)
        self._bar.refresh()

    def _text(self, state: Any, activity: str = "") -> str:
        num_done = state.global_step - self._first_step
        left = ""
        if num_done > 0:
            per_step = (time.monotonic() - self._start) / num_done
            left = f"{tqdm.format_interval(per_step * max(0, state.max_steps - state.global_step))} left"
        parts = [f"step {state.global_step}/{state.max_steps}", left, activity, *describe_values(self._values)]
        return " | ".join(part for part in parts if part)


def describe_values(values: Mapping[str, float]) -> list[str]:
    """
    Describe the values of a log, the most important one first.

    Args:
        values (`Mapping[str, float]`): Logged values by name.

    Returns:
        `list[str]`: Parts of a line, such as `["tests 71 %", "pass 60 %, wrong 40 %"]`.
    """
    parts = []
    if "outcome/pass_ratio" in values:
        parts.append(f"tests {_percent(values['outcome/pass_ratio'])}")
    shares = [
        f"{word} {_percent(values[name])}"
        for name, word in _OUTCOMES.items()
        if values.get(name) or (name == "outcome/pass" and name in values)
    ]
    if shares:
        parts.append(", ".join(shares))
    else:
        shown = [name for name in _WITHOUT_OUTCOMES if name in values]
        parts += [f"{name} {values[name]:.4g}" for name in shown[:1]]
    parts += [
        f"held-out {name.removeprefix('eval_').replace('_', ' ')} {_percent(value)}"
        for name, value in values.items()
        if name.startswith("eval_") and name.endswith("pass@1")
    ]
    return parts


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def add_progress_line(trainer: Any, *, seconds_between_lines: float = 15.0) -> None:
    """
    Show the progress of a trainer in one line, and no longer print its logs.

    The callbacks of `transformers` that print logs, `PrinterCallback` and `ProgressCallback`, are removed. What is logged, and what
    trackers get, does not change.

    Example:

    ```python
    from trl_rltf.trainer import add_progress_line

    trainer = RLTFTrainer(model, UnitTestRewardFunction(), args, train_dataset)
    add_progress_line(trainer)
    trainer.train()
    ```

    Args:
        trainer ([`~transformers.Trainer`]): The trainer, of this package, TRL or `transformers`.
        seconds_between_lines (`float`, *optional*, defaults to `15.0`): See [`ProgressLine`].
    """
    for callback in (PrinterCallback, ProgressCallback, ProgressLine):
        trainer.remove_callback(callback)
    trainer.add_callback(ProgressLine(seconds_between_lines=seconds_between_lines))
