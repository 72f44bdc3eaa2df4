"""Measure whether new tests accept right programs and refuse wrong ones."""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset
from tqdm import tqdm

from trl_rltf.data import (
    AugmentationSettings,
    AugmentedProblem,
    HypothesisInputs,
    MutatedInputs,
    augment_problems,
    load_benchmark,
    with_new_tests,
)
from trl_rltf.data.augmentation.solutions import distinct_programs
from trl_rltf.execution import LocalRunner, Outcome, Program
from trl_rltf.execution.limits import problem_limits
from trl_rltf.metrics import bootstrap_interval

from .same_meaning import rewrite_program


_MIN_SOLUTIONS = 3  # of a problem of which one is held out
_MAX_HELD_OUT = 4  # per problem


def main() -> None:
    """Augment a benchmark without its held-out solutions, and grade these."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmark")
    parser.add_argument("path")
    parser.add_argument("--split")
    parser.add_argument("--allow_single_solution", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max_problems", type=int, help="finished problems after which the command ends")
    parser.add_argument(
        "--output", type=Path, default=Path("outputs/augmentation"), help="folder; the same command resumes"
    )
    args = parser.parse_args()
    problems = list(load_benchmark(args.benchmark, args.path, args.split))
    # In random order, so that a part of the run is a sample of the problems.
    random.Random(args.seed).shuffle(problems)
    settings = AugmentationSettings(allow_single_solution=args.allow_single_solution, seed=args.seed)
    args.output.mkdir(parents=True, exist_ok=True)
    details = args.output / "details.jsonl"
    lines = details.read_text().splitlines() if details.exists() else []
    finished = {row["problem_id"]: row for row in map(json.loads, lines)}
    with LocalRunner(1, allow_code_eval=True) as runner, details.open("a") as file:
        for problem in tqdm(problems[: args.max_problems], unit="problem"):
            if problem["problem_id"] not in finished:
                row = _measure(problem, settings, runner)
                finished[problem["problem_id"]] = row
                file.write(json.dumps(row) + "\n")
                file.flush()
    ended = [problem for problem in problems if problem["problem_id"] in finished]
    found = [_result(finished[problem["problem_id"]]) for problem in ended]
    figures = _figures(found, [finished[problem["problem_id"]]["graded"] for problem in ended])
    print(json.dumps(figures, indent=1))
    (args.output / "figures.json").write_text(json.dumps(figures, indent=1))
    rows = [with_new_tests(problem, result) for problem, result in zip(ended, found, strict=True)]
    Dataset.from_list(rows).save_to_disk(str(args.output / "dataset"))


def _result(row: Mapping[str, Any]) -> AugmentedProblem:
    return AugmentedProblem.from_dict({name: value for name, value in row.items() if name != "graded"})


def _measure(problem: Mapping[str, Any], settings: AugmentationSettings, runner: LocalRunner) -> dict[str, Any]:
    """Augment one problem without its held-out programs, and grade these."""
    row, held_out = _hold_out(problem, settings, runner)
    sources = [MutatedInputs(), HypothesisInputs()]
    (result,) = augment_problems([row], runner, settings=settings, sources=sources)
    return {**dataclasses.asdict(result), "graded": _grade(problem, result, held_out, runner)}


def _hold_out(
    problem: Mapping[str, Any], settings: AugmentationSettings, runner: LocalRunner
) -> tuple[dict[str, Any], list[str]]:
    """
    Hold solutions out that pass the tests.

    Of a problem with three solutions or more, those that would not take part are held out, at least the last one. Of a problem with
    one, rewritten copies of it are.
    """
    solutions = distinct_programs(problem["solutions"])[: settings.num_solutions + _MAX_HELD_OUT]
    if not solutions:
        return dict(problem), []
    reports = runner.run([Program(source, problem["tests"], **problem_limits(problem)) for source in solutions])
    passing = [source for source, report in zip(solutions, reports, strict=True) if report.outcome is Outcome.PASS]
    if len(passing) >= _MIN_SOLUTIONS:
        held_out = passing[min(settings.num_solutions, len(passing) - 1) :][::-1]
        return {**problem, "solutions": [source for source in solutions if source not in held_out]}, held_out
    return dict(problem), list(rewrite_program(passing[0])) if len(passing) == 1 else []


def _grade(
    problem: Mapping[str, Any], result: AugmentedProblem, held_out: Sequence[str], runner: LocalRunner
) -> dict[str, Any]:
    """Which held-out programs pass the original tests, and all of them."""
    if result.left_alone:
        return {"held_out": [], "failures": []}
    limits = problem_limits(problem)
    before = runner.run([Program(source, problem["tests"], **limits) for source in held_out])
    right = [source for source, report in zip(held_out, before, strict=True) if report.outcome is Outcome.PASS]
    after = runner.run([Program(source, result.tests, **limits) for source in right])
    failures = [
        {"source": source, "outcome": report.outcome.name, "failure": str(report.first_failure)}
        for source, report in zip(right, after, strict=True)
        if report.outcome is not Outcome.PASS
    ]
    return {"held_out": [report.outcome is Outcome.PASS for report in after], "failures": failures}


def _figures(found: Sequence[AugmentedProblem], graded: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    augmented = [result for result in found if not result.left_alone]
    with_held_out = [row["held_out"] for row in graded if row["held_out"]]
    first = [float(verdicts[0]) for verdicts in with_held_out]
    everyone = [verdict for verdicts in with_held_out for verdict in verdicts]
    with_mutants = [result for result in augmented if result.num_mutants]
    return {
        "num_problems": len(found),
        "problems_per_minute": 60 * len(found) / sum(result.seconds for result in found),
        "num_augmented": len(augmented),
        "left_alone": dict(Counter(result.left_alone for result in found if result.left_alone)),
        "median_tests_before": statistics.median(result.num_before for result in augmented),
        "median_tests_after": statistics.median(result.num_after for result in augmented),
        "median_tests_before_all_problems": statistics.median(result.num_before for result in found),
        "median_tests_after_all_problems": statistics.median(result.num_after for result in found),
        "held_out_one_per_problem": _with_interval(first),
        "num_held_out_one_per_problem": len(first),
        "held_out_all": sum(everyone) / max(1, len(everyone)),
        "num_held_out_all": len(everyone),
        "mutants_killed_before": _with_interval([r.killed_before / r.num_mutants for r in with_mutants]),
        "mutants_killed_after": _with_interval([r.killed_after / r.num_mutants for r in with_mutants]),
        "mutants_killed_gain": _with_interval(
            [(r.killed_after - r.killed_before) / r.num_mutants for r in with_mutants]
        ),
    }


def _with_interval(scores: Sequence[float]) -> list[float]:
    """Mean over problems and its 95 % bootstrap interval."""
    return [statistics.fmean(scores), *bootstrap_interval(scores)] if scores else []
