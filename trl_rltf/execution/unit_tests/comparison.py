"""Compare an answer with the expected one, within the tolerance of APPS."""

from __future__ import annotations

import copy
import itertools
import re
from collections import OrderedDict, deque
from collections.abc import ItemsView, Iterable, Iterator, KeysView, ValuesView
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from typing import Any

from ..wire.long_integers import dump_json


# Nothing here takes more than linear time: the answer comes from a hostile program.
_TOLERANCE = Decimal("1e-6")
_CONTEXT = Context(prec=40, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
_LINE = re.compile(r"[^\r\n]*+(?:\r\n?|\n|\Z)")
_TOKEN = re.compile(r"\S+")
# A number without leading zeros: 007 and 00101 are texts. So are numbers with longer exponents.
_NUMBER = re.compile(r"[+-]?+(?:(?:0|[1-9]\d*+)(?:\.\d*+)?+|\.\d++)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_FLOAT_MARK = re.compile(r"\.|[eE][+-]")  # in each float that Python prints; 12e4 may be a text
_ZEROS = ("0", "-0")
_MAX_FLOAT_BITS = 2**16  # more than any float has, and any `Decimal` that a program returned
_SEQUENCES = (list, tuple, range, deque)
_ITERABLES = (Iterator, KeysView, ValuesView, ItemsView)
_SCALARS = frozenset([str, int, float, bool, type(None)])
_NUMBERS = (int, float, complex, Decimal, Fraction)


def compare_stdout(actual: str, expected: str, strict: bool = False) -> bool:
    """
    Compare printed output.

    Args:
        actual (`str`): Output of the program.
        expected (`str`): Expected output.
        strict (`bool`, *optional*, defaults to `False`): Compare line by line, ignoring only trailing blanks, the kind of
            line end and trailing empty lines. If `False`, compare the tokens between white space: a token that is expected
            to be a float (`0.5`, `1e-05`) may differ by 1e-6 (relative or absolute), and an expected whole number may be
            printed as a float of exactly that value (`2.0` for `2`). Any other token has to be the same text.

    Returns:
        `bool`: Whether the output counts as right.
    """
    if actual.rstrip() == expected.rstrip():
        return True
    if strict:
        return all(a == e for a, e in itertools.zip_longest(_lines(actual), _lines(expected)))
    tokens = itertools.zip_longest(*(map(re.Match.group, _TOKEN.finditer(text)) for text in (actual, expected)))
    return all(a == e or _is_same_number(a, e) for a, e in tokens)


def _lines(text: str) -> Iterator[str]:
    """Lines without trailing blanks, up to the last line that is not empty."""
    num_empty = 0
    for match in _LINE.finditer(text):
        line = match.group().rstrip()
        if line:
            yield from itertools.repeat("", num_empty)
            yield line
        num_empty = 0 if line else num_empty + 1


def _is_same_number(actual: str | None, expected: str | None) -> bool:
    if actual is None or expected is None or not (_NUMBER.fullmatch(expected) and _NUMBER.fullmatch(actual)):
        return False
    if _FLOAT_MARK.search(expected):
        return _is_close(Decimal(actual), Decimal(expected))
    if not expected.lstrip("+-").isdigit():
        return False
    is_float = _FLOAT_MARK.search(actual) is not None
    return Decimal(actual) == Decimal(expected) if is_float else actual in _ZEROS and expected in _ZEROS


def _is_close(actual: Decimal, expected: Decimal, relative: bool = True) -> bool:
    if not (actual.is_finite() and expected.is_finite()):
        return False
    difference = _CONTEXT.subtract(actual, expected).copy_abs()
    if difference <= _TOLERANCE:
        return True
    return relative and difference <= _CONTEXT.multiply(max(actual.copy_abs(), expected.copy_abs()), _TOLERANCE)


def compare_value(actual: Any, expected: Any, strict: bool = False) -> bool:
    """
    Compare a returned value with the expected one of a call-based test.

    Args:
        actual (`Any`): Plain data that the program returned.
        expected (`Any`): Plain data from the tests.
        strict (`bool`, *optional*, defaults to `False`): Require equal values of equal types, also for the items of containers.
            If `False`, a tuple, an iterator or another sequence equals the list with the same items, numbers agree within
            1e-6 unless both are integers, dictionary keys that JSON turned into strings match, and an expected value
            may be wrapped in a list of one, as in some APPS files.

    Returns:
        `bool`: Whether the value counts as right.
    """
    if _is_same(actual, expected, strict):
        return True
    return not strict and isinstance(expected, list) and len(expected) == 1 and _is_same(actual, expected[0], False)


def _is_same(actual: Any, expected: Any, strict: bool) -> bool:
    # Values may be nested deeper than Python recurses: this holds the pairs to compare, by depth.
    pending: list[Iterator[tuple[Any, Any]]] = [iter([(actual, expected)])]
    while pending:
        for a, e in pending[-1]:
            if type(a) is type(e) and type(a) in _SCALARS and a == e:
                continue
            parts = _parts(a, e, strict)
            if parts is None:
                return False
            if parts:
                pending.append(iter(parts))
                break
        else:
            pending.pop()
    return True


def _parts(actual: Any, expected: Any, strict: bool) -> Iterable[tuple[Any, Any]] | None:
    """
    Pairs of parts that decide whether two values are equal.

    The iterable is empty if the values are equal. The result is `None` if they differ.
    """
    if strict and type(actual) is not type(expected):
        return None
    if not isinstance(actual, _SEQUENCES) and isinstance(expected, list) and isinstance(actual, _ITERABLES):
        # A copy of an iterator, since the value may be compared again.
        actual = list(copy.copy(actual) if isinstance(actual, Iterator) else actual)
    if isinstance(actual, _SEQUENCES) and isinstance(expected, _SEQUENCES):
        return zip(actual, expected, strict=True) if len(actual) == len(expected) else None
    if isinstance(actual, dict) and isinstance(expected, dict):
        return _pairs_of_dicts(actual, expected, strict)
    if isinstance(actual, _NUMBERS) and isinstance(expected, _NUMBERS):
        return () if _is_same_amount(actual, expected, strict) else None
    if strict and isinstance(actual, (set, frozenset)) and actual == expected:
        own = {item: item for item in actual}
        return [(own[item], item) for item in expected]
    return () if actual == expected else None


def _is_same_amount(actual: Any, expected: Any, strict: bool) -> bool:
    if isinstance(actual, int) and isinstance(expected, int):
        return actual == expected
    if any(isinstance(n, int) and n.bit_length() > _MAX_FLOAT_BITS for n in (actual, expected)):
        return False
    if actual == expected or (actual != actual and expected != expected):
        return True
    if strict or any(isinstance(n, (bool, complex)) for n in (actual, expected)):
        return False
    # A relative tolerance would accept wrong large integers, such as 123456700.0 for 123456789.
    return _is_close(_decimal(actual), _decimal(expected), relative=not isinstance(expected, int))


def _decimal(number: Any) -> Decimal:
    if isinstance(number, Fraction):
        return _CONTEXT.divide(Decimal(number.numerator), Decimal(number.denominator))
    return Decimal(number)


def _pairs_of_dicts(actual: Any, expected: Any, strict: bool) -> Iterable[tuple[Any, Any]] | None:
    if len(actual) != len(expected):
        return None
    if isinstance(actual, OrderedDict) and isinstance(expected, OrderedDict) and list(actual) != list(expected):
        return None
    if actual.keys() == expected.keys():
        values = [(actual[key], item) for key, item in expected.items()]
        if not strict:
            return values
        own = {key: key for key in actual}
        return [*((own[key], key) for key in expected), *values]
    if strict:
        return None
    by_text = {_text_of_key(key): item for key, item in actual.items()}
    texts = {_text_of_key(key): item for key, item in expected.items()}
    if not len(by_text) == len(actual) == len(texts) or by_text.keys() != texts.keys():
        return None
    return [(by_text[text], item) for text, item in texts.items()]


def _text_of_key(key: Any) -> Any:
    """
    A key as JSON writes it.

    Very long integers, and keys that JSON cannot write, do not change.
    """
    if isinstance(key, int) and key.bit_length() > _MAX_FLOAT_BITS:
        return key
    return dump_json(key) if key is None or isinstance(key, (int, float)) else key
