"""The report on a program as text: numbers, values and the line of an error, by hand."""

import pytest

from trl_rltf.execution import ExecutionReport, FirstFailure, LocalRunner, Outcome, Program, Span, Verdict, report_text


TESTS = {"asserts": ["assert f(1) == 2", "assert f(3) == 4"]}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("def f(x):\n    return x + 1", "All 2 tests passed."),
        (
            "def f(x):\n    return 2",
            "1 of 2 tests passed. Test 2 did not:\ninput: f(3)\nexpected: assert f(3) == 4\ngot: 2",
        ),
        (
            "def f(x):\n    return x + y",
            "0 of 2 tests passed. Test 1 did not:\ninput: f(1)\nexpected: assert f(1) == 2\n"
            "got: NameError: name 'y' is not defined\nline 2: return x + y",
        ),
        ("def f(x)\n    return x", "The program does not compile. SyntaxError: expected ':', line 1: def f(x)"),
    ],
)
def test_a_graded_program_is_described(runner, source, text):
    (report,) = runner.run([Program(source, TESTS)])
    assert report_text(report, source) == text


def test_a_program_that_was_not_graded_is_not_blamed():
    report = ExecutionReport(Outcome.NOT_GRADABLE)
    assert report_text(report, "x = 1") == "The program could not be run, for a reason that is not in it."


def test_a_line_that_the_program_does_not_have_is_only_numbered():
    failure = FirstFailure(0, input="f(1)", expected="2", got="E: x")
    span = Span(line=9, column=0, end_line=9, end_column=1)
    report = ExecutionReport(Outcome.RUNTIME_ERROR, (Verdict.ERROR,), error_type="E", span=span, first_failure=failure)
    text = report_text(report, "a = 1", tests_name="hidden tests")
    assert text.startswith("0 of 1 hidden tests passed. Test 1 did not:")
    assert text.endswith("\nline 9")


def test_a_long_line_is_cut():
    source = f"def f(x):\n    return y + '{'a' * 500}'"
    with LocalRunner(allow_code_eval=True) as runner:
        (report,) = runner.run([Program(source, TESTS)])
    shown = report_text(report, source).split("\n")[-1]
    assert shown.startswith("line 2: return y + 'aaa")
    assert shown.endswith("…")
    assert len(shown) == len("line 2: ") + 200
