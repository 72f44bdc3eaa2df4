"""Tell a model in a few lines how its program did on the visible tests."""

from __future__ import annotations

from ..execution import ExecutionReport, Outcome, report_text
from ..execution.described_report import NOT_GRADED, error_text


NO_TESTS = "The problem has no visible tests."


def describe_tests(report: ExecutionReport, source: str) -> str:
    """
    Describe the result of the visible tests.

    Args:
        report ([`~execution.ExecutionReport`]): Report on the program.
        source (`str`): The program.

    Returns:
        `str`: How many tests passed, and input, expected output and answer of the first that did not; for an error, its line.
    """
    return report_text(report, source, tests_name="visible tests")


def describe_run(report: ExecutionReport, source: str) -> str:
    """
    Describe a run without tests, on an empty input.

    Args:
        report ([`~execution.ExecutionReport`]): Report on the program.
        source (`str`): The program.

    Returns:
        `str`: Whether the program compiles and runs; for an error, its line.
    """
    if report.outcome is Outcome.NOT_GRADABLE:
        return f"{NO_TESTS} {NOT_GRADED}"
    if report.outcome is Outcome.SYNTAX_ERROR:
        return f"{NO_TESTS} The program does not compile. {error_text(report, source)}"
    if report.error_type == "EOFError":
        return f"{NO_TESTS} The program compiles, and runs until it reads its input."
    if report.outcome is Outcome.RUNTIME_ERROR:
        return f"{NO_TESTS} On an empty input, the program fails. {error_text(report, source)}"
    return f"{NO_TESTS} The program compiles, and runs on an empty input."
