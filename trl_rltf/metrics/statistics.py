"""Turn the counts of each problem into pass@k with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .pass_at_k.pass_at_k import check_k, estimate_pass_at_k


_NUM_RESAMPLES = 2000
_LEVELS = ("introductory", "interview", "competition")  # order of the levels of APPS; other levels follow


@dataclass(slots=True)
class ProblemCounts:
    """
    Counts of one problem.

    Args:
        problem_id (`str`): Identifier of the problem.
        difficulty (`str`, *optional*, defaults to `""`): Its level; may be empty.
        num_samples (`int`, *optional*, defaults to `0`): Number of samples.
        num_correct (`int`, *optional*, defaults to `0`): Samples that pass all tests.
        num_kept (`int`, *optional*, defaults to `0`): Samples that pass the visible tests; all samples if the problem
            has none.
        num_kept_correct (`int`, *optional*, defaults to `0`): Kept samples that pass all tests.
        num_whole_correct (`int`, *optional*, defaults to `0`): Samples that pass all tests and have no error in other
            code, as LiveCodeBench counts.
    """

    problem_id: str
    difficulty: str = ""
    num_samples: int = 0
    num_correct: int = 0
    num_kept: int = 0
    num_kept_correct: int = 0
    num_whole_correct: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    A mean over problems and its interval.

    Args:
        value (`float`): The mean.
        low (`float`): Lower end of the interval.
        high (`float`): Upper end of the interval.
    """

    value: float
    low: float
    high: float


def bootstrap_interval(
    scores: Sequence[float] | np.ndarray, *, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """
    Percentile bootstrap interval of a mean.

    The problems are drawn 2000 times with replacement. If there are several seeds of training, they are drawn too, each with
    all of its problems.

    Args:
        scores (`Sequence[float]`): Score of each problem, shape `(num_problems,)`, or `(num_seeds, num_problems)`.
        level (`float`, *optional*, defaults to `0.95`): Share of the resampled means in the interval.
        seed (`int`, *optional*, defaults to `0`): Seed of the resampling.

    Returns:
        `tuple[float, float]`: Lower and upper end.

    Raises:
        ValueError: If there are no scores, or the level is not between 0 and 1.
    """
    values = np.asarray(scores, dtype=float)
    if values.size == 0:
        raise ValueError("A bootstrap needs the score of at least one problem.")
    if not 0 < level < 1:
        raise ValueError(f"`level` is {level}, but must be between 0 and 1.")
    rng = np.random.default_rng(seed)
    if values.ndim == 1:
        means = rng.choice(values, (_NUM_RESAMPLES, len(values))).mean(axis=1)
    else:
        # Shares of the draws that fall on each seed and each problem: all seeds have the same problems.
        seeds, problems = (rng.multinomial(n, np.full(n, 1 / n), _NUM_RESAMPLES) / n for n in values.shape)
        means = ((seeds @ values) * problems).sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def choose_ks(
    ks: Sequence[int] | None, num_samples: int, *, default: Sequence[int] = (1, 5, 10, 100, 1000)
) -> list[int]:
    """
    Choose the k of pass@k.

    Args:
        ks (`Sequence[int]` or `None`): The k; `None` takes the values of `default` up to `num_samples`.
        num_samples (`int`): Samples per problem.
        default (`Sequence[int]`, *optional*, defaults to `(1, 5, 10, 100, 1000)`): The usual k.

    Returns:
        `list[int]`: The k, in ascending order.

    Raises:
        ValueError: If there is none, or one is not a whole number, below 1 or above the number of samples.
    """
    if ks is None:
        return [k for k in default if k <= num_samples]
    checked = check_k(ks)
    for k in checked:
        if k > num_samples:
            raise ValueError(
                f"pass@{k} needs at least {k} samples per problem, but there are {num_samples}. Raise `num_samples`, or leave "
                f"{k} out of `k`."
            )
    return sorted(checked)


def summarize(
    counts: Sequence[ProblemCounts], ks: Sequence[int], *, whole_module: bool = False
) -> dict[str, dict[str, Estimate]]:
    """
    Estimate pass@k of all problems and of each difficulty, without bias.

    Args:
        counts (`Sequence[ProblemCounts]`): Counts of each problem.
        ks (`Sequence[int]`): The k of pass@k.
        whole_module (`bool`, *optional*, defaults to `False`): Count any error in the module, as LiveCodeBench does, and
            not only those in the code that the tests use.

    Returns:
        `dict[str, dict[str, Estimate]]`: For `"all"` and each difficulty of the problems, `{"pass@1": ..., ...}`.

    Raises:
        ValueError: If there are no problems, or a k is above the number of samples of one.
    """
    groups = _groups(counts)
    return {
        name: {f"pass@{k}": _estimate(_pass_at_k(group, k, whole_module)) for k in ks}
        for name, group in groups.items()
    }


def summarize_filtered(counts: Sequence[ProblemCounts], ks: Sequence[int]) -> dict[str, dict[str, Estimate]]:
    """
    Estimate n@k: pass@n of the samples that pass the visible tests.

    Of the k samples of a problem, those that pass its visible tests are kept, and n of the kept ones, drawn at random, are
    submitted. The problem is solved if one of the n passes all tests. If at most n are kept, all of them are submitted; if none
    is kept, the problem is not solved.

    Args:
        counts (`Sequence[ProblemCounts]`): Counts of each problem.
        ks (`Sequence[int]`): Numbers n of submitted samples.

    Returns:
        `dict[str, dict[str, Estimate]]`: For `"all"` and each difficulty of the problems, `{"1@20": ..., ...}`.

    Raises:
        ValueError: If there are no problems.
    """
    return {
        name: {
            f"{k}@{group[0].num_samples}": _estimate([_kept_pass_at_k(problem, k) for problem in group]) for k in ks
        }
        for name, group in _groups(counts).items()
    }


def _groups(counts: Sequence[ProblemCounts]) -> dict[str, list[ProblemCounts]]:
    if not counts:
        raise ValueError("There are no problems to summarize.")
    levels = {problem.difficulty for problem in counts} - {""}
    ordered = [level for level in _LEVELS if level in levels] + sorted(levels - set(_LEVELS))
    return {
        "all": list(counts),
        **{level: [problem for problem in counts if problem.difficulty == level] for level in ordered},
    }


def _pass_at_k(group: Sequence[ProblemCounts], k: int, whole_module: bool) -> np.ndarray:
    correct = [problem.num_whole_correct if whole_module else problem.num_correct for problem in group]
    return estimate_pass_at_k([problem.num_samples for problem in group], correct, k)


def _kept_pass_at_k(problem: ProblemCounts, k: int) -> float:
    if problem.num_kept <= k:
        return float(problem.num_kept_correct > 0)
    return float(estimate_pass_at_k([problem.num_kept], [problem.num_kept_correct], k)[0])


def _estimate(scores: Sequence[float] | np.ndarray) -> Estimate:
    return Estimate(float(np.mean(scores)), *bootstrap_interval(scores))
