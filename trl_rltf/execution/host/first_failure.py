"""Describe the first test that a program did not pass, in short texts."""

from __future__ import annotations

from collections import deque
from collections.abc import ItemsView, Iterable, Iterator, KeysView, ValuesView
from typing import Any

from ..report import FirstFailure
from ..unit_tests.unit_test import UnitTest, UnitTests
from ..wire.parsing import parse_json
from ..wire.plain_values import decode


MAX_CHARACTERS = 200
_MAX_VALUE_BYTES = 2**16  # a longer answer is shown as it was sent, since reading it takes time
_MAX_INT_BITS = 4096  # the interpreter limits the conversion of longer integers to text
_BRACKETS: dict[Any, tuple[str, str]] = (
    dict.fromkeys((list, deque), ("[", "]")) | {tuple: ("(", ")")} | dict.fromkeys((set, frozenset), ("{", "}"))
)
_ITERABLES = (Iterator, KeysView, ValuesView, ItemsView)


def describe(tests: UnitTests, index: int, got: str) -> FirstFailure:
    """
    Describe a test that a program did not pass.

    Args:
        tests ([`~execution.unit_tests.unit_test.UnitTests`]): The tests of the program.
        index (`int`): Index of the test.
        got (`str`): Text of the answer or of the error.

    Returns:
        [`~execution.report.FirstFailure`]: The description.
    """
    case: UnitTest = tests.cases[index]
    if case.statements:
        shown_input, expected = case.probe.get("expression", ""), case.statements
        return FirstFailure(index, input=cut(shown_input), expected=cut(expected), got=cut(got))
    return FirstFailure(index, input=short_text(case.input), expected=short_text(case.expected), got=cut(got))


def answer_text(mode: str, values: memoryview, printed: memoryview) -> str:
    """
    Write a wrong answer as a short text.

    The time does not depend on the size of the answer.

    Args:
        mode (`str`): How the tests ran.
        values (`memoryview`): Values of the test, as the program's process wrote them.
        printed (`memoryview`): Output of the program in the test.

    Returns:
        `str`: The text.
    """
    if mode == "stdin":
        return short_text(bytes(printed[: 4 * MAX_CHARACTERS + 4]).decode("utf-8", "replace"))
    if mode not in ("call", "expression"):
        return "the assert does not hold"
    if len(values) > _MAX_VALUE_BYTES:
        return cut(bytes(values[1 : 4 * MAX_CHARACTERS]).decode("utf-8", "replace"))
    answers = parse_json(bytes(values))
    return short_text(decode(answers[0])) if isinstance(answers, list) and answers else "no value"


def short_text(value: Any) -> str:
    """
    Write the beginning of a value as Python shows it, at most 200 characters.

    Args:
        value (`Any`): Plain data of any size and depth.

    Returns:
        `str`: The text, on one line and without control characters.
    """
    text = ""
    try:
        for piece in _pieces(value):
            text += piece
            if len(text) > MAX_CHARACTERS:
                break
    except Exception as error:  # a value from a hostile process may refuse to be shown
        text += f"<{type(error).__name__}>"
    return cut(text)


def cut(text: str) -> str:
    """Cut a text at 200 characters, and escape line ends and control characters."""
    shown = text[: MAX_CHARACTERS + 1]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in shown)
    return shown if len(shown) <= MAX_CHARACTERS else shown[: MAX_CHARACTERS - 1] + "…"


def _pieces(value: Any) -> Iterator[str]:
    # Each level of nesting gives a character before its parts, so that a deep value does not recurse deeply.
    if isinstance(value, (str, bytes, bytearray)):
        yield repr(value[: MAX_CHARACTERS + 1])
    elif isinstance(value, int):
        bits = value.bit_length()
        yield repr(value) if bits <= _MAX_INT_BITS else f"<integer of {bits} bits>"
    elif isinstance(value, dict):
        yield "{"
        yield from _joined(map(_pair, value.items()))
        yield "}"
    elif type(value) in _BRACKETS or isinstance(value, _ITERABLES):
        opening, closing = _BRACKETS.get(type(value), ("[", "]"))
        yield opening
        yield from _joined(map(_pieces, value))
        yield ",)" if type(value) is tuple and len(value) == 1 else closing
    else:
        yield repr(value)


def _pair(pair: tuple[Any, Any]) -> Iterator[str]:
    yield from _pieces(pair[0])
    yield ": "
    yield from _pieces(pair[1])


def _joined(parts: Iterable[Iterator[str]]) -> Iterator[str]:
    for number, part in enumerate(parts):
        if number:
            yield ", "
        yield from part
