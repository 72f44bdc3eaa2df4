"""Decide whether a program's answer is the expected one, with the tolerance of APPS and no more."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any


TOLERANCE = 1e-6
_MAX_DEPTH = 200
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)


def compare_stdout(actual: str, expected: str, strict: bool = False) -> bool:
    """
    Compare printed output.

    Args:
        actual (`str`): What the program printed.
        expected (`str`): What it should have printed.
        strict (`bool`, *optional*, defaults to `False`): Compare line by line, ignoring only trailing blanks, the kind of
            line end and trailing empty lines. If `False`, also accept the same tokens laid out with other white space,
            and numbers with a fraction or an exponent that agree within 1e-6 (relative or absolute).

    Returns:
        `bool`: Whether the output counts as right.
    """
    actual_lines, expected_lines = _lines(actual), _lines(expected)
    if actual_lines == expected_lines:
        return True
    if strict:
        return False
    actual_tokens, expected_tokens = actual.split(), expected.split()
    return len(actual_tokens) == len(expected_tokens) and all(
        a == e or _same_number(a, e) for a, e in zip(actual_tokens, expected_tokens, strict=True)
    )


def _lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _same_number(actual: str, expected: str) -> bool:
    if not (_NUMBER.fullmatch(actual) and _NUMBER.fullmatch(expected)):
        return False
    if any(mark in expected for mark in ".eE"):
        return _close(float(actual), float(expected))
    # A relative tolerance would accept wrong large integers: 2.0 is 2, but 123456700.0 is not 123456789.
    return any(mark in actual for mark in ".eE") and abs(Decimal(actual) - Decimal(expected)) <= TOLERANCE


def _close(actual: float, expected: float) -> bool:
    return math.isclose(actual, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def compare_value(actual: Any, expected: Any, strict: bool = False) -> bool:
    """
    Compare a returned value with the expected one of a call-based test.

    Args:
        actual (`Any`): Plain data that the program returned.
        expected (`Any`): Plain data from the tests.
        strict (`bool`, *optional*, defaults to `False`): Demand equal values of equal types, floats included. If `False`,
            a tuple equals the list with the same items, floats agree within 1e-6, dictionary keys that JSON turned into
            strings match, and an expected value may be wrapped in a list of one, as some APPS files do.

    Returns:
        `bool`: Whether the value counts as right.
    """
    if strict:
        return type(actual) is type(expected) and bool(actual == expected)
    if _same_value(actual, expected, _MAX_DEPTH):
        return True
    return isinstance(expected, list) and len(expected) == 1 and _same_value(actual, expected[0], _MAX_DEPTH)


def _same_value(actual: Any, expected: Any, depth: int) -> bool:
    if depth < 0:
        return False
    if isinstance(actual, (list, tuple)) and isinstance(expected, (list, tuple)):
        return len(actual) == len(expected) and all(
            _same_value(a, e, depth - 1) for a, e in zip(actual, expected, strict=True)
        )
    if isinstance(actual, dict) and isinstance(expected, dict):
        by_text = {_key(key): item for key, item in actual.items()}
        return len(by_text) == len(actual) == len(expected) and all(
            _key(key) in by_text and _same_value(by_text[_key(key)], item, depth - 1) for key, item in expected.items()
        )
    if isinstance(actual, bool) or isinstance(expected, bool):
        return isinstance(actual, (bool, int)) and isinstance(expected, (bool, int)) and actual == expected
    if isinstance(actual, float) or isinstance(expected, float):
        if not (isinstance(actual, (int, float)) and isinstance(expected, (int, float))):
            return False
        try:
            if isinstance(expected, int):  # as for printed numbers: no relative tolerance for a whole number
                return actual == expected or abs(actual - expected) <= TOLERANCE
            return actual == expected or _close(float(actual), float(expected))
        except OverflowError:
            return False
    return type(actual) is type(expected) and bool(actual == expected)


def _key(key: Any) -> Any:
    """A key as JSON writes it. Python refuses to write very long integers in decimal; they stay what they are."""
    return str(key) if not isinstance(key, int) or abs(key) < 10**100 else key
