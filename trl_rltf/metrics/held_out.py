"""Estimate pass@k from the groups of completions of a trainer's evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..execution import Outcome
from .pass_at_k.pass_at_k import estimate_pass_at_k


_MAX_LEVELS = 32  # of difficulty; a column with more values, such as a rating, is not a level


@dataclass(frozen=True, slots=True)
class HeldOutGroup:
    """
    The completions of one problem in an evaluation.

    Args:
        outcomes (`Sequence[Outcome | None]`): Outcome of each completion; `None` counts as `NOT_GRADABLE`.
        difficulty (`str`, *optional*, defaults to `""`): Level of the problem; may be empty.
    """

    outcomes: Sequence[Outcome | None]
    difficulty: str = ""


def held_out_metrics(groups: Sequence[HeldOutGroup], ks: Sequence[int]) -> dict[str, float]:
    """
    Estimate pass@k without bias, and count outcomes.

    Both are over all problems, and over those of each difficulty.

    Args:
        groups (`Sequence[HeldOutGroup]`): The problems.
        ks (`Sequence[int]`): The k of pass@k.

    Returns:
        `dict[str, float]`: `{"pass@1": ..., "outcome/pass": ..., "pass@1/easy": ...}`. Difficulties are left out if there are
        more than 32.

    Raises:
        ValueError: If a k is above the number of completions of a problem.
    """
    levels = sorted({group.difficulty for group in groups} - {""})
    parts = {"": list(groups)}
    if len(levels) <= _MAX_LEVELS:
        parts |= {f"/{level}": [group for group in groups if group.difficulty == level] for level in levels}
    metrics: dict[str, float] = {}
    for suffix, part in parts.items():
        outcomes = [Outcome.NOT_GRADABLE if o is None else o for group in part for o in group.outcomes]
        num_samples = [len(group.outcomes) for group in part]
        num_correct = [list(group.outcomes).count(Outcome.PASS) for group in part]
        for k in ks:
            metrics[f"pass@{k}{suffix}"] = float(np.mean(estimate_pass_at_k(num_samples, num_correct, k)))
        for outcome in reversed(Outcome):
            metrics[f"outcome/{outcome.name.lower()}{suffix}"] = outcomes.count(outcome) / len(outcomes)
    return metrics
