"""A report counts its verdicts, and knows the outcome if the whole module counts."""

import pytest
from support import span_at

from trl_rltf.execution import ExecutionReport, Outcome, Span, Verdict


def test_a_report_counts_its_verdicts():
    verdicts = (Verdict.PASSED, Verdict.FAILED, Verdict.NOT_RUN, Verdict.PASSED, Verdict.TIMEOUT)
    report = ExecutionReport(Outcome.RUNTIME_ERROR, verdicts)
    assert (report.num_tests, report.num_passed, report.num_run, report.pass_ratio) == (5, 2, 4, 0.4)


def test_outcomes_are_ordered_from_worst_to_best():
    worst_first = ["NOT_GRADABLE", "SYNTAX_ERROR", "RUNTIME_ERROR", "FAILURE", "PASS"]
    assert [outcome.name for outcome in sorted(Outcome)] == worst_first


def test_a_report_without_tests_has_a_pass_ratio_of_zero():
    assert ExecutionReport(Outcome.NOT_GRADABLE).pass_ratio == 0.0


@pytest.mark.parametrize(
    ("outcome", "trailing", "whole"),
    [
        (Outcome.PASS, None, Outcome.PASS),
        (Outcome.PASS, "SyntaxError", Outcome.SYNTAX_ERROR),
        (Outcome.PASS, "IndentationError", Outcome.SYNTAX_ERROR),
        (Outcome.PASS, "TabError", Outcome.SYNTAX_ERROR),
        (Outcome.PASS, "NameError", Outcome.RUNTIME_ERROR),
        (Outcome.PASS, "AssertionError", Outcome.FAILURE),
        (Outcome.FAILURE, "AssertionError", Outcome.FAILURE),
        (Outcome.FAILURE, "NameError", Outcome.RUNTIME_ERROR),
        (Outcome.RUNTIME_ERROR, "AssertionError", Outcome.RUNTIME_ERROR),
        (Outcome.RUNTIME_ERROR, "SyntaxError", Outcome.SYNTAX_ERROR),
        (Outcome.NOT_GRADABLE, "NameError", Outcome.NOT_GRADABLE),
        (Outcome.NOT_GRADABLE, "SyntaxError", Outcome.NOT_GRADABLE),
    ],
)
def test_an_error_in_trailing_code_counts_for_the_whole_module(outcome, trailing, whole):
    assert ExecutionReport(outcome, trailing_error_type=trailing).whole_module_outcome is whole


def test_the_numbers_of_a_span_are_named():
    assert span_at(1, 2, 3, 4) == Span(end_column=4, end_line=3, column=2, line=1)
    with pytest.raises(TypeError):
        Span(1, 2, 3, 4)
