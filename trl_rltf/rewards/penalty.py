"""Penalize the tokens of an error: the fine-grained feedback of the paper."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any, Literal

from ..completions.program import ExtractedProgram
from ..completions.tokens import end_token, span_tokens, token_ranges
from ..execution import ExecutionReport, Outcome


class ErrorScope(enum.StrEnum):
    """Tokens that an error is attributed to: the sub-types of fine-grained feedback."""

    LINE = "line"
    GLOBAL = "global"
    IGNORE = "ignore"


_IGNORED_DETAILS = {
    "inconsistent_indentation",
    "unterminated_triple_quote",
    "duplicate_argument",
    "import_star",
    "raised_by_interpreter",
}


def error_scope(report: ExecutionReport) -> ErrorScope:
    """
    Classify an error by its type and position.

    Messages are never read, so all versions of Python agree.

    Args:
        report ([`~execution.ExecutionReport`]): Report on a program.

    Returns:
        [`ErrorScope`]: `LINE` if the error has a position in the program; `GLOBAL` for a timeout, a RecursionError and a
        program that ends too early; otherwise `IGNORE`.
    """
    if report.outcome not in (Outcome.RUNTIME_ERROR, Outcome.SYNTAX_ERROR):
        return ErrorScope.IGNORE
    # A program may raise TimeoutError itself, which has a line; the time limit has no position in the program.
    is_timeout = report.error_type == "TimeoutError" and report.span is None
    if is_timeout or report.error_type == "RecursionError" or report.error_detail == "truncated":
        return ErrorScope.GLOBAL
    if report.error_detail in _IGNORED_DETAILS or report.span is None:
        return ErrorScope.IGNORE
    return ErrorScope.LINE


def penalized_tokens(
    report: ExecutionReport,
    unit: Literal["statement", "expression"],
    program: ExtractedProgram,
    text: str,
    token_ids: Sequence[int],
    tokenizer: Any,
) -> range:
    """
    Find the tokens of the error of a program.

    Args:
        report ([`~execution.ExecutionReport`]): Report on the program.
        unit (`str`): `"statement"`, the failing statement, as in the paper; or `"expression"`, the sub-expression that
            Python's position table names, and the final token of a program that ends too early.
        program ([`ExtractedProgram`]): The program and its position in the completion.
        text (`str`): The completion.
        token_ids (`Sequence[int]`): Token ids of the completion, length `T`.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`] or `None`): Tokenizer that decoded the completion; without
            it, only errors that concern all tokens are found.

    Returns:
        `range`: Indices of the tokens; empty if the program has no error or its tokens are not known.
    """
    scope = error_scope(report)
    ends_too_early = unit == "expression" and report.error_detail == "truncated"
    if scope is ErrorScope.GLOBAL and not ends_too_early:
        return range(len(token_ids))
    if scope is ErrorScope.IGNORE or tokenizer is None or not token_ids:
        return range(0)
    ranges = token_ranges(token_ids, text, tokenizer)
    if ends_too_early:
        # A completion that was cut at the length limit has no final token: it is too long as a whole.
        return end_token(program.source, program.start, ranges) or range(len(token_ids))
    span = (report.expression_span if unit == "expression" else None) or report.span
    assert span is not None  # the scope is LINE
    return span_tokens(span, program.source, program.start, ranges, indent=program.indent)


def spread_penalty(tokens: range, num_tokens: int, *, weight: float, normalize: bool = False) -> list[float]:
    """
    Give a penalty to each token of an error: `-λ · 1[t in span]`.

    Args:
        tokens (`range`): Indices of the tokens of the error.
        num_tokens (`int`): Number of tokens of the completion, `T`.
        weight (`float`): Penalty of each token, λ.
        normalize (`bool`, *optional*, defaults to `False`): Multiply the penalty by `T / |span|`, so that all errors weigh the
            same in a mean over tokens. Not in the paper.

    Returns:
        `list[float]`: Penalty of each token of the completion, length `T`, at most 0.
    """
    scale = num_tokens / len(tokens) if normalize and tokens else 1.0
    return [scale * -weight if index in tokens else 0.0 for index in range(num_tokens)]
