"""Tell a model in a few lines how its program did on the visible tests."""

from __future__ import annotations

from ..execution import ExecutionReport, Outcome


NO_TESTS = "The problem has no visible tests."
_MAX_CHARACTERS = 200
_NOT_GRADED = "The program could not be run, for a reason that is not in it."


def describe_tests(report: ExecutionReport, source: str) -> str:
    """
    Describe the result of the visible tests.

    Args:
        report ([`~execution.ExecutionReport`]): Report on the program.
        source (`str`): The program.

    Returns:
        `str`: How many tests passed, and input, expected output and answer of the first that did not; for an error, its line.
    """
    if report.outcome is Outcome.NOT_GRADABLE:
        return _NOT_GRADED
    if report.outcome is Outcome.SYNTAX_ERROR:
        return f"The program does not compile. {_error(report, source)}"
    if report.first_failure is None:
        return f"All {report.num_passed} visible tests passed."
    failure = report.first_failure
    lines = [f"{report.num_passed} of {report.num_tests} visible tests passed. Test {failure.test + 1} did not:"]
    lines += str(failure).split("\n")
    if report.span is not None:
        lines.append(f"line {_line(report, source)}")
    return "\n".join(lines)


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
        return f"{NO_TESTS} {_NOT_GRADED}"
    if report.outcome is Outcome.SYNTAX_ERROR:
        return f"{NO_TESTS} The program does not compile. {_error(report, source)}"
    if report.error_type == "EOFError":
        return f"{NO_TESTS} The program compiles, and runs until it reads its input."
    if report.outcome is Outcome.RUNTIME_ERROR:
        return f"{NO_TESTS} On an empty input, the program fails. {_error(report, source)}"
    return f"{NO_TESTS} The program compiles, and runs on an empty input."


def _error(report: ExecutionReport, source: str) -> str:
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
