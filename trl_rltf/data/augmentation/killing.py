"""Find which tests kill which programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...execution import Outcome, Program, Runner, Verdict
from ...execution.limits import ProblemLimits
from .answers import GraderFailed
from .seen_tests import SeenTests


_GROWTH = 4  # of the number of tests that survivors run on


def find_survivors(programs: Sequence[str], seen: SeenTests, runner: Runner, limits: ProblemLimits) -> list[str]:
    """
    Find the programs that pass the original tests.

    Few tests run first, since most mutants fail any of them.

    Args:
        programs (`Sequence[str]`): Mutants or other wrong programs.
        seen (`SeenTests`): The original tests.
        runner ([`~execution.Runner`]): Grades the programs.
        limits (`ProblemLimits`): Limits per test.

    Returns:
        `list[str]`: The programs that pass all tests.

    Raises:
        GraderFailed: If the sandbox fails.
    """
    survivors, start, size = list(programs), 0, 1
    while survivors and start < seen.num_tests:
        part = seen.subset(range(start, min(start + size, seen.num_tests)))
        rows = failed_tests(survivors, part, runner, limits)
        survivors = [program for program, failed in zip(survivors, rows, strict=True) if not failed]
        start, size = start + size, size * _GROWTH
    return survivors


def failed_tests(
    programs: Sequence[str], tests: Mapping[str, Any], runner: Runner, limits: ProblemLimits
) -> list[set[int]]:
    """
    Find the tests that each program fails.

    Args:
        programs (`Sequence[str]`): The programs.
        tests (`Mapping[str, Any]`): The tests.
        runner ([`~execution.Runner`]): Grades the programs.
        limits (`ProblemLimits`): Limits per test.

    Returns:
        `list[set[int]]`: Indices of the tests that each program does not pass.

    Raises:
        GraderFailed: If the sandbox fails.
    """
    reports = runner.run([Program(source, tests, **limits) for source in programs]) if programs else []
    if any(report.outcome is Outcome.NOT_GRADABLE for report in reports):
        raise GraderFailed
    return [
        {index for index, verdict in enumerate(report.verdicts) if verdict is not Verdict.PASSED} for report in reports
    ]
