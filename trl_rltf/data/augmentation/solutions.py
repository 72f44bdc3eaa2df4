"""Choose the reference solutions of a problem that take part."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from ...execution import Outcome, Program, Runner
from ...execution.limits import ProblemLimits
from ...execution.wire.long_integers import any_number_of_digits
from .answers import GraderFailed


def distinct_programs(sources: Iterable[str]) -> list[str]:
    """
    Leave out copies of earlier programs, also those with other white space or comments.

    Args:
        sources (`Iterable[str]`): Programs. Those that are not valid Python are left out.

    Returns:
        `list[str]`: The first of each set of copies.
    """
    found: dict[str, str] = {}
    for source in sources:
        try:
            with any_number_of_digits(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                key = ast.dump(ast.parse(source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        found.setdefault(key, source)
    return list(found.values())


def passing_programs(
    sources: Sequence[str], tests: Any, runner: Runner, limits: ProblemLimits, *, most: int | None = None
) -> list[str]:
    """
    Find the programs that pass tests, from the first.

    Args:
        sources (`Sequence[str]`): Programs.
        tests (`Mapping` or `str`): The tests.
        runner ([`~execution.Runner`]): Grades the programs.
        limits (`ProblemLimits`): Limits of the problem.
        most (`int`, *optional*): Number of passing programs that is enough. Defaults to all.

    Returns:
        `list[str]`: The programs that pass all tests.

    Raises:
        GraderFailed: If the sandbox fails.
    """
    passing: list[str] = []
    size = len(sources) if most is None else most
    for start in range(0, len(sources), max(1, size)):
        part = sources[start : start + size]
        for source, report in zip(part, runner.run([Program(text, tests, **limits) for text in part]), strict=True):
            if report.outcome is Outcome.NOT_GRADABLE:
                raise GraderFailed
            if report.outcome is Outcome.PASS:
                passing.append(source)
        if most is not None and len(passing) >= most:
            return passing[:most]
    return passing
