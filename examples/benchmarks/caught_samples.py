"""
Grade samples that pass the original tests of a dataset by its new tests.

    python -m benchmarks.caught_samples outputs/augmented outputs/evaluation    # in the folder examples

The first folder is that of `trl-rltf augment-tests`, the second that of `trl-rltf evaluate` on the dataset without new tests. It
prints the share of samples that the new tests refuse, and writes these with their first failing test to a file, to be read: a program
may be refused because it is wrong, or because the reference solution is.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from datasets import load_from_disk

from trl_rltf.completions.program import extract_program
from trl_rltf.execution import LocalRunner, Outcome, Program
from trl_rltf.execution.limits import problem_limits


_NUM_RESAMPLES = 2000


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the share of samples that are refused, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("augmented", help="folder of a dataset with new tests")
    parser.add_argument("run", type=Path, help="folder of an evaluation on the original tests")
    parser.add_argument("--output", type=Path, default=Path("caught.txt"), help="file of the refused programs")
    args = parser.parse_args(arguments)
    problems = {
        row["problem_id"]: row for row in load_from_disk(args.augmented) if set(row["test_sources"]) != {"original"}
    }
    samples = [json.loads(line) for line in (args.run / "samples.jsonl").read_text().splitlines()]
    passing = [one for one in samples if one["outcome"] == "PASS" and one["problem_id"] in problems]
    programs = [_program(extract_program(one["completion"]).code, problems[one["problem_id"]]) for one in passing]
    with LocalRunner(allow_code_eval=True) as runner:
        reports = runner.run(programs)
    print(f"{len(passing)} samples:", dict(Counter(report.outcome.name for report in reports)))
    refused = [report.outcome is not Outcome.PASS for report in reports]
    by_problem = defaultdict(list)
    for one, is_refused in zip(passing, refused, strict=True):
        by_problem[one["problem_id"]].append(is_refused)
    value, low, high = share_with_interval(list(by_problem.values()))
    print(f"refused: {100 * value:.1f} % [{100 * low:.1f}, {100 * high:.1f}]", end=", ")
    print(f"{sum(map(any, by_problem.values()))} of {len(by_problem)} problems have one")
    texts = [
        f"=== problem {one['problem_id']}\n{report.first_failure}\n--- prompt\n{problems[one['problem_id']]['prompt']}"
        f"\n--- reference solution\n{problems[one['problem_id']]['solutions'][0]}\n--- program\n{program.source}\n"
        for one, report, program, is_refused in zip(passing, reports, programs, refused, strict=True)
        if is_refused
    ]
    args.output.write_text("\n".join(texts))
    print(f"They are in {args.output}.")


def share_with_interval(groups: Sequence[Sequence[bool]]) -> tuple[float, float, float]:
    """Return the share of refused samples, and its 95 % bootstrap interval over problems."""
    refused, counts = np.array([sum(group) for group in groups]), np.array([len(group) for group in groups])
    draws = np.random.default_rng(0).integers(len(groups), size=(_NUM_RESAMPLES, len(groups)))
    low, high = np.quantile(refused[draws].sum(1) / counts[draws].sum(1), [0.025, 0.975])
    return float(refused.sum() / counts.sum()), float(low), float(high)


def _program(source: str, problem: dict[str, Any]) -> Program:
    return Program(source, problem["tests"], **problem_limits(problem))


if __name__ == "__main__":
    main()
