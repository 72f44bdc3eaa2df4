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
    Leave out copies of earlier programs, up to white space and comments.

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


def grade_programs(sources: Sequence[str], tests: Any, runner: Runner, limits: ProblemLimits) -> list[Outcome]:
    """
    Grade programs by tests.

    Args:
        sources (`Sequence[str]`): Programs.
        tests (`Mapping` or `str`): The tests.
        runner ([`~execution.Runner`]): Grades the programs.
        limits (`ProblemLimits`): Limits of the problem.

    Returns:
        `list[Outcome]`: Outcome of each program.

    Raises:
        GraderFailed: If the sandbox fails.
    """
    outcomes = [report.outcome for report in runner.run([Program(text, tests, **limits) for text in sources])]
    if Outcome.NOT_GRADABLE in outcomes:
        raise GraderFailed
    return outcomes
