"""Describe the report on a program in a few lines of text."""

from __future__ import annotations

from .report import ExecutionReport, Outcome


NOT_GRADED = "The program could not be run, for a reason that is not in it."
_MAX_CHARACTERS = 200


def report_text(report: ExecutionReport, source: str, *, tests_name: str = "tests") -> str:
    """
    Describe the report on a program.

    The text has the number of tests that passed, and the input, the expected output and the answer of the first that did not;
    for an error, the line of the program that raised it. Of each value at most 200 characters are shown.

    Args:
        report ([`ExecutionReport`]): Report on the program.
        source (`str`): The program.
        tests_name (`str`, *optional*, defaults to `"tests"`): What the tests are called, such as `"visible tests"`.

    Returns:
        `str`: A few lines.
    """
    if report.outcome is Outcome.NOT_GRADABLE:
        return NOT_GRADED
    if report.outcome is Outcome.SYNTAX_ERROR:
        return f"The program does not compile. {error_text(report, source)}"
    if report.first_failure is None:
        return f"All {report.num_passed} {tests_name} passed."
    failure = report.first_failure
    lines = [f"{report.num_passed} of {report.num_tests} {tests_name} passed. Test {failure.test + 1} did not:"]
    lines += str(failure).split("\n")
    if report.span is not None:
        lines.append(f"line {_line(report, source)}")
    return "\n".join(lines)


def error_text(report: ExecutionReport, source: str) -> str:
    """
    Describe the error of a program and its line.

    Args:
        report ([`ExecutionReport`]): Report on a program that raised an error.
        source (`str`): The program.

    Returns:
        `str`: Type and message of the error; number and text of the line, if the error has one.
    """
    error = _cut(f"{report.error_type}: {report.error_message}")
    return error if report.span is None else f"{error}, line {_line(report, source)}"


def _line(report: ExecutionReport, source: str) -> str:
    """Return number and text of the line of an error."""
    assert report.span is not None
    number, lines = report.span.line, source.splitlines()
    # The position comes from the process of the program, which is hostile.
    return f"{number}: {_cut(lines[number - 1].strip())}" if 1 <= number <= len(lines) else str(number)


def _cut(text: str) -> str:
    text = " ".join(text[:1000].split())
    return text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 1]}…"
