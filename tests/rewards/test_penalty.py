"""Tokens of an error and their penalties, with positions counted by hand."""

import pytest
from support import span_at

from trl_rltf.completions import ExtractedProgram
from trl_rltf.execution import ExecutionReport, Outcome
from trl_rltf.rewards.penalty import penalized_tokens, spread_penalty


SOURCE = "a = 1\nb = a + c\n"  # `c` is not defined
ERROR = ExecutionReport(
    Outcome.RUNTIME_ERROR, error_type="NameError", span=span_at(2, 0, 2, 9), expression_span=span_at(2, 8, 2, 9)
)


def tokens_of(report, unit, tokenizer, source=SOURCE, prefix=""):
    text = prefix + source
    program = ExtractedProgram(source, len(prefix))
    return penalized_tokens(report, unit, program, text, tokenizer(text)["input_ids"], tokenizer)


def test_the_tokens_of_a_statement_are_those_of_its_line(character_tokenizer):
    assert tokens_of(ERROR, "statement", character_tokenizer) == range(6, 15)


def test_the_tokens_of_an_expression_are_those_of_the_name(character_tokenizer):
    assert tokens_of(ERROR, "expression", character_tokenizer) == range(14, 15)


def test_text_before_the_program_shifts_the_tokens(character_tokenizer):
    assert tokens_of(ERROR, "statement", character_tokenizer, prefix="Sure:\n") == range(12, 21)


def test_without_an_expression_the_statement_is_used(character_tokenizer):
    report = ExecutionReport(Outcome.RUNTIME_ERROR, error_type="TypeError", span=span_at(1, 0, 1, 5))
    assert tokens_of(report, "expression", character_tokenizer) == range(5)


@pytest.mark.parametrize(
    "report",
    [
        ExecutionReport(Outcome.RUNTIME_ERROR, error_type="TimeoutError"),
        ExecutionReport(Outcome.RUNTIME_ERROR, error_type="RecursionError", span=span_at(1, 0, 1, 5)),
        ExecutionReport(Outcome.SYNTAX_ERROR, error_type="SyntaxError", error_detail="truncated"),
    ],
)
def test_some_errors_concern_all_tokens(character_tokenizer, report):
    assert tokens_of(report, "statement", character_tokenizer) == range(len(SOURCE))


@pytest.mark.parametrize(
    "report",
    [
        ExecutionReport(Outcome.PASS),
        ExecutionReport(Outcome.FAILURE),
        ExecutionReport(Outcome.NOT_GRADABLE),
        ExecutionReport(Outcome.RUNTIME_ERROR, error_type="SIGKILL"),
        ExecutionReport(Outcome.SYNTAX_ERROR, error_detail="import_star", span=span_at(1, 0, 1, 5)),
    ],
)
@pytest.mark.parametrize("unit", ["statement", "expression"])
def test_without_an_error_or_its_place_no_token_is_penalized(character_tokenizer, report, unit):
    assert tokens_of(report, unit, character_tokenizer) == range(0)


TRUNCATED = ExecutionReport(Outcome.SYNTAX_ERROR, error_type="SyntaxError", error_detail="truncated")


def test_the_final_token_of_a_program_that_ends_too_early_is_the_line_break(character_tokenizer):
    assert tokens_of(TRUNCATED, "expression", character_tokenizer, "print(a\n") == range(7, 8)


def test_a_completion_cut_at_the_length_limit_is_penalized_as_a_whole(character_tokenizer):
    assert tokens_of(TRUNCATED, "expression", character_tokenizer, "print(a") == range(7)


def test_without_a_tokenizer_only_errors_of_all_tokens_are_found():
    program = ExtractedProgram(SOURCE, 0)
    timeout = ExecutionReport(Outcome.RUNTIME_ERROR, error_type="TimeoutError")
    assert penalized_tokens(timeout, "statement", program, SOURCE, [5, 6], None) == range(2)
    assert penalized_tokens(ERROR, "statement", program, SOURCE, [5, 6], None) == range(0)


@pytest.mark.parametrize(
    ("tokens", "normalize", "expected"),
    [
        (range(1, 3), False, [0.0, -0.3, -0.3, 0.0]),
        (range(1, 3), True, [0.0, -0.6, -0.6, 0.0]),  # 4 tokens / 2 of the error
        (range(4), True, [-0.3] * 4),
        (range(0), False, [0.0] * 4),
        (range(0), True, [0.0] * 4),
    ],
)
def test_a_penalty_is_spread_over_the_tokens_of_the_error(tokens, normalize, expected):
    assert spread_penalty(tokens, 4, weight=0.3, normalize=normalize) == expected
