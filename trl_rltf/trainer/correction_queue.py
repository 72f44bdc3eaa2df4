"""Queue corrections of failing completions, for the cross entropy of the loss."""

# Dimensions: B rows, R tokens of the longest reference solution or correction.

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ..completions.conversation import final_program
from ..completions.program import ExtractedProgram
from ..corrections import Correction, FailedProgram, find_corrections
from ..execution import Outcome, Program
from ..rewards.audit import with_audits
from ..rewards.awaited import AsyncUnitTestRewardFunction
from ..rewards.columns import make_programs
from ..rewards.unit_tests import UnitTestRewardFunction
from ._trl import pad
from .corrected_tokens import corrected_tokens
from .reference_data import solutions_of, target_tokens
from .rltf_config import RLTFConfig


_CAPACITY = 512
_MAX_USES = 4
_MAX_AGE = 10  # generation batches
_MAX_DONORS = 4
_MAX_CANDIDATES = 200  # programs that are run for each failing one
_FAILED = (Outcome.FAILURE, Outcome.RUNTIME_ERROR)


@dataclass(slots=True)
class QueuedCorrection:
    """
    A correction as token ids.

    Args:
        prompt (`str` or `list[dict]`): Prompt of the failing completion.
        ids (`list[int]`): Ids of its beginning and of the continuation, `(R,)`.
        num_kept (`int`): Number of these that are not in the loss.
        born (`int`): Number of the generation batch that it is from.
        num_uses (`int`): Number of batches that it was drawn for.
    """

    prompt: Any
    ids: list[int]
    num_kept: int
    born: int
    num_uses: int = 0


class CorrectionQueue:
    """
    Queue of corrections of recent failing completions, over all prompts.

    A correction keeps the longest beginning of a failing program from which a right continuation exists, see
    [`~corrections.find_corrections`]; the continuation is from a passing completion of the same prompt, or from a reference
    solution. Each is used up to four times and dropped after ten generation batches. Each process has the corrections of
    its own completions.

    Args:
        args ([`RLTFConfig`]): Settings.
        accelerator ([`~accelerate.Accelerator`]): Accelerator of the trainer.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer.
        reward_functions (`Sequence`): Reward functions of the trainer. The tests and the runner of the first
            [`UnitTestRewardFunction`] decide what is right.
        add_metric (`Callable`): Logs a number by its name.
        is_encoder_decoder (`bool`): Whether a solution gets the special tokens of a target.

    Raises:
        ValueError: If there is no such function.
    """

    def __init__(
        self,
        args: RLTFConfig,
        accelerator: Any,
        tokenizer: Any,
        reward_functions: Sequence[Any],
        add_metric: Callable[[str, float], None],
        *,
        is_encoder_decoder: bool,
    ):
        self._args = args
        self._accelerator = accelerator
        self._tokenizer = tokenizer
        self._index, self._reward_function = find_reward_function(reward_functions)
        self._add_metric = add_metric
        self._is_encoder_decoder = is_encoder_decoder
        self._queue: deque[QueuedCorrection] = deque(maxlen=_CAPACITY)
        self._num_batches = 0

    def __len__(self) -> int:
        return len(self._queue)

    # ------------------------------------------------------------------ find

    def add(
        self,
        rows: Sequence[Mapping[str, Any]],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]],
        outcomes: Mapping[int, Sequence[Outcome | None]],
    ) -> None:
        """
        Find corrections of failing completions, and queue them.

        Args:
            rows (`Sequence[Mapping]`): Row of the dataset of each completion.
            completions (`Sequence`): Completions, as text or as chat messages.
            completion_ids (`Sequence[Sequence[int]]`): Their token ids.
            outcomes (`Mapping[int, Sequence]`): By reward function, the outcome of each program.
        """
        began = time.perf_counter()
        outcomes_here = outcomes[self._index]
        found = [final_program(completion) for completion in completions]
        names = {name for row in rows for name in row} - {"prompt", "tests"}
        columns = {name: [row.get(name) for row in rows] for name in names}
        graded = make_programs([program.code for program, _ in found], [row["tests"] for row in rows], columns)
        # As in the reward: tests that are kept for an audit are not trained on.
        graded = with_audits(graded, self._reward_function.audit_tests)[0][: len(graded)]
        passing: dict[str, list[str]] = {}
        for row, program, outcome in zip(rows, graded, outcomes_here, strict=True):
            if outcome is Outcome.PASS:
                passing.setdefault(_group(row), []).append(program.source)
        failures: dict[tuple[str, str], int] = {}  # equal programs for one prompt have one correction
        for index, outcome in enumerate(outcomes_here):
            if outcome in _FAILED and found[index][0].indent == 0:
                failures.setdefault((_group(rows[index]), graded[index].source), index)
        chosen = list(failures.values())
        failed = [_failed_program(graded[i], passing.get(_group(rows[i]), []), rows[i]) for i in chosen]
        corrections = find_corrections(failed, self._reward_function.runner, max_candidates=_MAX_CANDIDATES)
        kept_lines = []
        for index, one, correction in zip(chosen, failed, corrections, strict=True):
            if correction is not None:
                kept_lines.append(correction.beginning.count("\n") / max(1, correction.source.count("\n")))
                donor = one.donors[correction.donor]
                self._append(rows[index], *found[index], completion_ids[index], correction, donor)
        self._num_batches += 1
        self._drop_old()
        self._log(len(chosen), kept_lines, time.perf_counter() - began)

    def _append(
        self,
        row: Mapping[str, Any],
        program: ExtractedProgram,
        text: str,
        ids: Sequence[int],
        correction: Correction,
        donor: str,
    ) -> None:
        limit = self._args.max_completion_length
        if self._args.correction_target == "solution":
            target = target_tokens(donor, row["prompt"], self._tokenizer, is_encoder_decoder=self._is_encoder_decoder)
            kept = 0
        else:
            target, kept = corrected_tokens(program, text, ids, correction, self._tokenizer)
            kept = kept if self._args.correction_target == "continuation" else 0
        if kept < min(len(target), limit):
            self._queue.append(QueuedCorrection(row["prompt"], target[:limit], kept, self._num_batches))

    def _drop_old(self) -> None:
        fresh = [one for one in self._queue if one.num_uses < _MAX_USES and self._num_batches - one.born <= _MAX_AGE]
        self._queue = deque(fresh, maxlen=_CAPACITY)

    def _log(self, num_failures: int, kept_lines: list[float], seconds: float) -> None:
        here = torch.tensor([num_failures, len(kept_lines), sum(kept_lines), len(self)], dtype=torch.float)
        totals = self._accelerator.gather(here.to(self._accelerator.device)[None]).sum(0).tolist()
        self._add_metric("corrections/found", totals[1] / max(1.0, totals[0]))
        if totals[1]:
            self._add_metric("corrections/kept", totals[2] / totals[1])
        self._add_metric("corrections/queue_size", totals[3])
        self._add_metric("time/corrections", seconds)

    # ------------------------------------------------------------------ draw

    def draw(self, numbers: torch.Tensor) -> list[QueuedCorrection | None]:
        """
        Draw corrections for the rows of a batch.

        Args:
            numbers (`torch.Tensor`): Random numbers, shape `(B, 2)`: the first decides whether the row is a correction, the
                second which.

        Returns:
            `list[QueuedCorrection | None]`: A correction, or `None` for a row that keeps its reference solution.
        """
        drawn: list[QueuedCorrection | None] = []
        for is_correction, which in numbers.tolist():
            one = None
            if self._queue and is_correction < self._args.correction_share:
                one = self._queue[int(which * len(self._queue))]
                one.num_uses += 1
                if one.num_uses >= _MAX_USES:
                    self._queue.remove(one)
            drawn.append(one)
        return drawn

    # ------------------------------------------------------------------ checkpoints

    def state(self) -> dict[str, Any]:
        """Return the queue, as plain data for JSON."""
        return {"num_batches": self._num_batches, "queue": [asdict(one) for one in self._queue]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore a queue that [`state`] returned."""
        self._num_batches = state["num_batches"]
        self._queue = deque((QueuedCorrection(**one) for one in state["queue"]), maxlen=_CAPACITY)


def replace_references(
    drawn: dict[str, torch.Tensor], corrections: Sequence[QueuedCorrection | None], pad_token_id: int
) -> dict[str, torch.Tensor]:
    """
    Replace reference solutions of a batch by corrections.

    Args:
        drawn (`dict`): `reference_ids` and `reference_mask`, `(B, R)`, and other tensors, which are kept.
        corrections (`Sequence[QueuedCorrection | None]`): A correction per row; `None` keeps the solution.
        pad_token_id (`int`): Id of the padding token.

    Returns:
        `dict`: The same, and `reference_loss_mask`, `(B, R)`: the tokens that are in the loss.
    """
    ids, masks, loss_masks = [], [], []
    for row, one in enumerate(corrections):
        mask = drawn["reference_mask"][row]
        if one is None:
            ids.append(drawn["reference_ids"][row])
            masks.append(mask)
            loss_masks.append(mask)
        else:
            ids.append(torch.tensor(one.ids, device=mask.device))
            masks.append(torch.ones_like(ids[-1]))
            loss_masks.append((torch.arange(len(one.ids), device=mask.device) >= one.num_kept).long())
    padded = {
        "reference_ids": pad(ids, padding_value=pad_token_id),
        "reference_mask": pad(masks, padding_value=0),
        "reference_loss_mask": pad(loss_masks, padding_value=0),
    }
    return drawn | padded


def make_correction_queue(trainer: Any) -> CorrectionQueue:
    """
    Make the queue of a trainer.

    Args:
        trainer ([`RLTFTrainer`]): The trainer.

    Returns:
        [`CorrectionQueue`]: An empty queue.

    Raises:
        ValueError: If no reward function runs tests, or completions depend on more than their prompt.
    """
    if not trainer.has_simple_prompts:
        raise ValueError(
            "`correction_share` needs completions of text prompts, but this run has images, tools or its own rollouts, in which a "
            "program is not all that follows the prompt. Leave it at 0."
        )
    return CorrectionQueue(
        trainer.args,
        trainer.accelerator,
        trainer._tokenizer,
        trainer.reward_funcs,
        trainer.add_metric,
        is_encoder_decoder=trainer.encoder_decoder is not None,
    )


def find_reward_function(functions: Sequence[Any]) -> tuple[int, UnitTestRewardFunction]:
    """
    Find the reward function whose tests decide which programs are right.

    Args:
        functions (`Sequence`): Reward functions of a trainer.

    Returns:
        `tuple[int, UnitTestRewardFunction]`: Its index, and the function.

    Raises:
        ValueError: If there is none.
    """
    for index, function in enumerate(functions):
        found = function.reward_function if isinstance(function, AsyncUnitTestRewardFunction) else function
        if isinstance(found, UnitTestRewardFunction):
            return index, found
    names = ", ".join(getattr(function, "__name__", type(function).__name__) for function in functions)
    raise ValueError(
        f"`correction_share` needs a `UnitTestRewardFunction`, which runs the tests of a correction, but `reward_funcs` has "
        f"{names or 'no function'}. Add one, or leave `correction_share` at 0."
    )


def _group(row: Mapping[str, Any]) -> str:
    return f"{row['prompt']}\0{row['tests']}"


def _failed_program(program: Program, passing: Sequence[str], row: Mapping[str, Any]) -> FailedProgram:
    donors = list(dict.fromkeys([*passing, *solutions_of(row)]))[:_MAX_DONORS]
    limits = {"timeout": program.timeout, "memory_limit": program.memory_limit}
    return FailedProgram(program.source, program.tests, donors, limits=limits)
