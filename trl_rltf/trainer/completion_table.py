"""Add columns to TRL's completions table, and write completions for a report."""

from __future__ import annotations

import itertools
import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object

from ..completions.conversation import final_program
from ..completions.program import prompt_text
from ..completions.tokens import token_ranges
from .advantages import weighted_rewards
from .samples import add_columns
from .tensorboard_panels import TensorBoardPanels


logger = logging.getLogger(__name__)

RECORDS_FOLDER = "_report_completions"  # `push_to_hub` leaves out such names
RECORDS_VERSION = 1
MAX_CHARACTERS = 20_000  # of a prompt, and of a completion
# Columns of the completions table that a record has, if the reward function logs them.
_COLUMNS = ("outcome", "tests_passed", "error_type", "error_line", "first_failure", "trailing_error")


class CompletionTable:
    """
    Add batches to TRL's completions table, and to the records of a report.

    The records, which `trl-rltf report` reads, are JSON lines in `<output_dir>/_report_completions/step-<step>.jsonl`, one per
    completion of the main process, with the rewards of its tokens. Their number is limited by `args.report_completions`, spread over
    the training.

    Args:
        trainer ([`RLTFTrainer`]): The trainer, whose batches are added.
    """

    def __init__(self, trainer: Any):
        self._trainer = trainer
        self._folder = Path(trainer.args.output_dir) / RECORDS_FOLDER
        self._limit = trainer.args.report_completions if trainer.accelerator.is_main_process else 0
        self._num_written: int | None = None  # `None` before the first batch
        self._step = -1
        if "tensorboard" in trainer.args.report_to:
            trainer.add_callback(TensorBoardPanels(trainer))

    def add(self, rows: Sequence[Mapping[str, Any]], batch: dict[str, Any], token_deltas: torch.Tensor | None) -> None:
        """
        Add a batch that was scored.

        Args:
            rows (`Sequence[Mapping]`): Row of the dataset of each completion.
            batch (`dict`): Generation batch, with its final advantages.
            token_deltas (`torch.Tensor` or `None`): Token rewards minus those of their completions, shape `(B, T)`.
        """
        trainer = self._trainer

        def add_column(name: str, values: list[Any]) -> None:
            trainer._logs["extra"][name].extend(gather_object(values))

        marks = trainer.args.log_completions
        add_columns(add_column, batch, token_deltas, trainer._tokenizer, marks_tokens=marks)
        if self._limit and trainer.model.training:
            try:
                self._record(rows, batch, token_deltas)
            except OSError as error:
                # A full disk must not end a training: a report does not need completions.
                logger.warning("No more completions are written for the report: %s", error)
                self._limit = 0

    def _record(
        self, rows: Sequence[Mapping[str, Any]], batch: dict[str, Any], token_deltas: torch.Tensor | None
    ) -> None:
        step, last = self._trainer.state.global_step, max(1, self._trainer.state.max_steps)
        if self._num_written is None:
            self._num_written = self._limit * step // last
            self._remove_from(step)
        group_size = self._trainer.num_generations
        allowed = self._limit * (step + 1) // last - self._num_written
        # At least one group: an online buffer samples in a few steps only.
        number = min(max(allowed // group_size, 1) * group_size, self._limit - self._num_written, len(rows))
        logs = self._trainer._logs
        holds_batch = len(logs["extra"]["rltf_advantage"]) >= len(self._trainer._rewards_per_func)
        if number <= 0 or not holds_batch:  # TRL's logs have room for one generation batch
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        mode = "w" if step != self._step else "a"
        with open(self._folder / f"step-{step:06d}.jsonl", mode, encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in self._rows(number, step, rows, batch, token_deltas))
        self._step, self._num_written = step, self._num_written + number

    def _remove_from(self, step: int) -> None:
        """Remove the records of an earlier run, or of steps that are trained again."""
        for path in self._folder.glob("step-*.jsonl"):
            number = path.stem.removeprefix("step-")
            if number.isdecimal() and int(number) >= step:
                path.unlink()

    def _rows(
        self,
        number: int,
        step: int,
        rows: Sequence[Mapping[str, Any]],
        batch: dict[str, Any],
        token_deltas: torch.Tensor | None,
    ) -> Iterator[dict[str, Any]]:
        trainer, logs = self._trainer, self._trainer._logs
        rewards = weighted_rewards(trainer._rewards_per_func, trainer.reward_weights)
        # The logs end with this batch. The completions of the main process are the first of all processes.
        first = len(logs["completion"]) - len(rewards)
        extra = {name: list(values)[-len(rewards) :] for name, values in logs["extra"].items()}
        for index in range(number):
            row, completion = rows[index], logs["completion"][first + index]
            text = final_program(completion)[1]
            prompt = prompt_text(row["prompt"])
            reward = float(rewards[index])
            yield {
                "version": RECORDS_VERSION,
                "step": step,
                "problem": None if row.get("problem_id") is None else str(row["problem_id"]),
                "difficulty": str(row.get("difficulty") or ""),
                "prompt": prompt[:MAX_CHARACTERS],
                "prompt_length": len(prompt),
                "completion": text[:MAX_CHARACTERS],
                "completion_length": len(text),
                "reward": reward if math.isfinite(reward) else None,
                "advantage": extra["rltf_advantage"][index],
                "credits": self._credits(text, batch["completion_ids"][index], token_deltas, index),
                **{name: extra[name][index] for name in _COLUMNS if len(extra.get(name, ())) == len(rewards)},
            }

    def _credits(
        self, text: str, ids: torch.Tensor, token_deltas: torch.Tensor | None, index: int
    ) -> list[tuple[int, int, float]]:
        """Character ranges whose tokens have a credit r_t - R_seq other than 0."""
        if token_deltas is None or not bool(token_deltas[index].any()):
            return []
        length = int((ids != self._trainer._tokenizer.pad_token_id).sum())
        ranges = token_ranges(ids[:length].tolist(), text, self._trainer._tokenizer)
        deltas = [round(delta, 4) for delta in token_deltas[index, :length].tolist()]
        runs = []
        for delta, run in itertools.groupby(zip(ranges, deltas, strict=True), key=lambda pair: pair[1]):
            places = [place for place, _ in run if place[0] < min(place[1], MAX_CHARACTERS)]
            if delta and places:
                runs.append((places[0][0], min(places[-1][1], MAX_CHARACTERS), delta))
        return runs
