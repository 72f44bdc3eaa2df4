"""Results of the ablation: collect them in one file, and compare arms by seeds and problems."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trl_rltf.metrics import Estimate, bootstrap_interval


OUTCOMES = ("PASS", "FAILURE", "RUNTIME_ERROR", "SYNTAX_ERROR", "NOT_GRADABLE")
_NUM_RESAMPLES = 2000


def write_parquet(paths: Iterable[Path], target: Path) -> pa.Table:
    """
    Put the evaluations of all runs into one file, one row per evaluation.

    Args:
        paths (`Iterable[Path]`): Results of runs.
        target (`Path`): The parquet file.

    Returns:
        `pyarrow.Table`: Columns `arm`, `architecture`, `seed`, `step`, `train_samples`, `num_samples`, `pass_at_1`,
        `problem_ids`, `num_correct`, a share for each outcome, and `settings` as JSON.
    """
    rows = []
    for path in sorted(paths):
        result = json.loads(path.read_text())
        settings = result["settings"]
        for evaluation in result["evaluations"]:
            shares = evaluation["outcome_shares"]
            rows.append(
                {
                    "arm": settings["arm"]["name"],
                    "architecture": settings["architecture"],
                    "seed": settings["seed"],
                    **{key: evaluation[key] for key in ("step", "train_samples", "num_samples")},
                    "pass_at_1": sum(evaluation["num_correct"])
                    / (evaluation["num_samples"] * len(evaluation["num_correct"])),
                    "problem_ids": evaluation["problem_ids"],
                    "num_correct": evaluation["num_correct"],
                    **{outcome: shares.get(outcome, 0.0) for outcome in OUTCOMES},
                    "settings": json.dumps(settings),
                }
            )
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, target)
    return table


@dataclass(frozen=True)
class Curve:
    """
    Learning curve of one arm and one architecture, over the seeds.

    Args:
        seeds (`list[int]`): The seeds, S of them.
        steps (`np.ndarray`): Optimizer steps of the evaluations, from 0, shape `(E,)`.
        train_samples (`np.ndarray`): Samples drawn until then, mean over the seeds, shape `(E,)`.
        scores (`np.ndarray`): pass@1 of each held-out problem, shape `(S, E, P)`.
        outcomes (`dict[str, np.ndarray]`): Mean share of each outcome, shape `(E,)`.
    """

    seeds: list[int]
    steps: np.ndarray
    train_samples: np.ndarray
    scores: np.ndarray
    outcomes: dict[str, np.ndarray]

    @property
    def pass_at_1(self) -> np.ndarray:
        """Held-out pass@1, shape `(S, E)`."""
        return self.scores.mean(2)


def curve(rows: Sequence[dict[str, Any]], arm: str, architecture: str, seeds: Sequence[int]) -> Curve | None:
    """Collect the learning curve of an arm, from its warm starts; `None` if a seed is missing."""
    by_seed = []
    for seed in seeds:
        mine = [row for row in rows if row["architecture"] == architecture and row["seed"] == seed]
        points = [row for row in mine if row["arm"] == "warm-start"] + [row for row in mine if row["arm"] == arm]
        if len(points) < 2:
            return None
        by_seed.append(sorted(points, key=lambda row: row["step"]))
    first = by_seed[0]
    return Curve(
        list(seeds),
        np.array([row["step"] for row in first]),
        np.array([[row["train_samples"] for row in points] for points in by_seed]).mean(0),
        np.array([[np.array(row["num_correct"]) / row["num_samples"] for row in points] for points in by_seed]),
        {name: np.array([[row[name] for row in points] for points in by_seed]).mean(0) for name in OUTCOMES},
    )


def difference(arm: Curve, reference: Curve) -> Estimate:
    """Difference in final held-out pass@1, paired by seed and problem, with its interval over both."""
    return _estimate(arm.scores[:, -1] - reference.scores[:, -1])


def late_difference(arm: Curve, reference: Curve, num_evaluations: int = 3) -> Estimate:
    """
    Difference of the mean over the last evaluations.

    It has the samples of three evaluations. It compares how fast arms learn, too, if they have not finished learning by then.
    """
    return _estimate((arm.scores - reference.scores)[:, -num_evaluations:].mean(1))


def mean_difference(arm: Curve, reference: Curve) -> Estimate:
    """
    Difference of the mean over all evaluations after the start.

    An arm that learns faster is ahead in it, even if both end with the same pass@1.
    """
    return _estimate((arm.scores - reference.scores)[:, 1:].mean(1))


def _estimate(paired: np.ndarray) -> Estimate:
    return Estimate(float(paired.mean()), *bootstrap_interval(paired))


def budget_ratio(arm: Curve, reference: Curve, unit: Literal["train_samples", "steps"]) -> Estimate:
    """
    Share of the reference's samples or steps that an arm needs to reach the final pass@1 of the reference.

    Curves are means over seeds, joined by straight lines; the interval is over seeds. The share is infinite if the arm does not
    reach that pass@1, and NaN if the reference did not improve.
    """
    if reference.pass_at_1[:, -1].mean() <= reference.pass_at_1[:, 0].mean():
        return Estimate(float("nan"), float("nan"), float("nan"))
    count = len(arm.seeds)
    value = _ratio(arm, reference, unit, np.arange(count))
    rng = np.random.default_rng(0)
    draws = [_ratio(arm, reference, unit, rng.integers(count, size=count)) for _ in range(_NUM_RESAMPLES)]
    # A draw in which the arm does not reach the goal is infinite, and cannot be interpolated with a finite one.
    low, high = np.quantile(draws, [0.025, 0.975], method="nearest")
    return Estimate(value, float(low), float(high))


def _ratio(arm: Curve, reference: Curve, unit: str, chosen: np.ndarray) -> float:
    goal = reference.pass_at_1[chosen, -1].mean()
    reached = arm.pass_at_1[chosen].mean(0)
    above = np.flatnonzero(reached >= goal)
    if len(above) == 0:
        return float("inf")
    spent, whole = getattr(arm, unit), getattr(reference, unit)
    return float(np.interp(goal, reached[: above[0] + 1][-2:], spent[: above[0] + 1][-2:]) / whole[-1])
