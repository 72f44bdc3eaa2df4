"""Grade a batch of completions, and say in one line what happened to each."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from ..completions import extract_program
from ..completions.program import completion_text
from ..execution import ExecutionReport, Outcome, Program, SandboxError, Verdict
from .shared_runner import get_runner


def find_program(completion: Any, name: str) -> str:
    """
    Find the program in a completion.

    Args:
        completion (`str` or `Sequence`): Text, or chat messages as mappings or as objects with `role` and `content`.
        name (`str`): Name of the row, for the error message.

    Returns:
        `str`: Source text of the program; empty if the completion is.

    Raises:
        TypeError: If the completion is neither.
    """
    if isinstance(completion, str):
        return extract_program(completion).code
    if not isinstance(completion, (list, tuple)):
        raise TypeError(
            f"{name}: the completion is of type {type(completion).__name__}, but must be text or a list of chat messages."
        )
    return extract_program(completion_text([_message(message, name) for message in completion])).code


def _message(message: Any, name: str) -> dict[str, Any]:
    if isinstance(message, dict):
        return message
    if not hasattr(message, "content"):
        raise TypeError(
            f"{name}: a message is of type {type(message).__name__}, but must be a mapping with `role` and `content`."
        )
    return {"role": getattr(message, "role", "assistant"), "content": message.content}


def grade(programs: Sequence[Program], **changes: Any) -> list[ExecutionReport]:
    """
    Grade programs with the shared runner.

    Args:
        programs (`Sequence[Program]`): The programs with their tests.
        **changes: Settings that differ from those of [`configure`].

    Returns:
        `list[ExecutionReport]`: One report per program.
    """
    return get_runner(**changes).run(programs)


def start_grading(programs: Sequence[Program], **changes: Any) -> Future[list[ExecutionReport]]:
    """
    Start to grade programs with the shared runner.

    Args:
        programs (`Sequence[Program]`): The programs with their tests.
        **changes: Settings that differ from those of [`configure`].

    Returns:
        `concurrent.futures.Future`: Its result is one report per program.
    """
    return get_runner(**changes).submit(programs)


def explain(report: ExecutionReport) -> str:
    """
    Say in one line what happened to a program.

    Args:
        report ([`~execution.ExecutionReport`]): Report on the program.

    Returns:
        `str`: `"passed"`, `"timed out"`, `"not gradable"`, or `"failed: "` and the reason, as in `code_eval`.
    """
    if report.outcome is Outcome.PASS:
        return "passed"
    if report.outcome is Outcome.NOT_GRADABLE:
        return "not gradable: the sandbox failed"
    if report.error_type == "TimeoutError" and Verdict.TIMEOUT in report.verdicts:
        return "timed out"
    if report.outcome is Outcome.FAILURE or report.error_type is None:
        return f"failed: {report.num_passed} of {report.num_tests} tests passed"
    return f"failed: {report.error_type}: {report.error_message}"


def refuse_failed_sandbox(report: ExecutionReport, name: str) -> None:
    """
    Raise if the sandbox failed, where a score would be about the program.

    Args:
        report ([`~execution.ExecutionReport`]): Report on a program.
        name (`str`): Name of the row.

    Raises:
        SandboxError: If the program could not be graded.
    """
    if report.outcome is Outcome.NOT_GRADABLE:
        raise SandboxError(
            f"{name}: the sandbox failed twice while it graded the program, so there is no score. This says nothing about the "
            "program. Free memory, or lower `num_workers`.",
            [report],
        )


def warn_of_failed_sandbox(reports: Sequence[ExecutionReport]) -> None:
    """
    Warn if programs could not be graded; a benchmark counts these as not passed.

    Args:
        reports (`Sequence[ExecutionReport]`): Reports of a benchmark.
    """
    failed = sum(report.outcome is Outcome.NOT_GRADABLE for report in reports)
    if failed:
        warnings.warn(
            f"The sandbox failed on {failed} of {len(reports)} programs, which count as not passed. Free memory, or lower "
            "`num_workers`, and grade again.",
            RuntimeWarning,
            stacklevel=3,
        )
