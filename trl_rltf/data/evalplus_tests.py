"""
Turn inputs and outputs of EvalPlus into asserts with the same comparison.

The rules are those of `unsafe_execute` in evalplus/eval/__init__.py, version 0.3.1: equal values pass; if the expected value is
a float or a list or tuple of floats, or if the problem has a tolerance `atol`, values of the same type within
`atol + 1e-7 * abs(expected)` pass too. Some problems of MBPP+ and one of HumanEval+ have rules of their author.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .literals import call, literal


_RELATIVE_TOLERANCE = 1e-7
_TOLERANCE_OF_FLOATS = 1e-6  # if the problem has none
# Functions that an assert may need, by the name it calls them with.
_HELPERS = {
    "is_close": """\
def is_close(actual, expected, tolerance):
    if actual == expected:
        return True
    if type(actual) != type(expected):
        return False
    if isinstance(expected, (list, tuple)):
        return len(actual) == len(expected) and all(is_close(a, e, tolerance) for a, e in zip(actual, expected))
    return abs(actual - expected) <= tolerance + 1e-7 * abs(expected)
""",
    "is_found": """\
def is_found(value):
    return value if isinstance(value, bool) else value is not None
""",
    "returns": """\
def returns(value):
    return True
""",
    "polynomial": """\
def polynomial(coefficients, x):
    return sum(coefficient * x**power for power, coefficient in enumerate(coefficients))
""",
}
# Problems of MBPP+ with separate rules, by the function that they ask for (evalplus/eval/_special_oracle.py).
_COMPARED_AS_SETS = frozenset(
    "similar_elements find_char_long common_in_nested_lists extract_singly larg_nnum intersection_array find_dissimilar "
    "Diff".split()
)
_FOUND_OR_NOT = frozenset(["check_str", "text_match_three", "text_starta_endb"])


def make_tests(
    function: str, inputs: Sequence[list[Any]], outputs: Sequence[Any], *, atol: float, is_mbpp: bool
) -> dict[str, Any]:
    """
    Make the asserts of one problem.

    Equal inputs are tested once. A test whose expected output has a NaN, which no program can pass, is left out.

    Args:
        function (`str`): Name of the function under test.
        inputs (`Sequence[list]`): Arguments of each test.
        outputs (`Sequence[Any]`): Output of the canonical solution for each input.
        atol (`float`): Absolute tolerance of the problem; 0 for none.
        is_mbpp (`bool`): Whether the problem is one of MBPP+, not of HumanEval+.

    Returns:
        `dict[str, Any]`: Tests in the format `{"asserts": [...], "setup": "..."}`.

    Raises:
        TypeError: If an input or an output has no literal.
    """
    asserts: dict[str, str] = {}
    for arguments, expected in zip(inputs, outputs, strict=True):
        called = call(function, arguments)
        if called not in asserts and not _has_nan(expected):
            asserts[called] = f"assert {_condition(function, called, arguments, expected, atol, is_mbpp)}"
    used = [text for name, text in _HELPERS.items() if any(f"{name}(" in line for line in asserts.values())]
    return {"asserts": list(asserts.values()), "setup": "\n".join(used)}


def _condition(function: str, called: str, arguments: list[Any], expected: Any, atol: float, is_mbpp: bool) -> str:
    if not is_mbpp and function == "find_zero":
        return f"abs(polynomial({literal(arguments[0])}, {called})) <= {atol}"
    if is_mbpp:
        if function == "are_equivalent":
            return f"returns({called})"
        if function in _COMPARED_AS_SETS:
            return f"set({called}) == {literal(set(expected))}"
        if function in _FOUND_OR_NOT:
            found = expected if isinstance(expected, bool) else expected is not None
            return f"is_found({called}) == {found}"
        other = _other_answer(function, arguments)
        if other is not None and atol:
            return f"is_close({called}, {literal(expected)}, {atol}) or is_close({called}, {literal(other)}, {atol})"
        if other is not None:
            return f"{called} in ({literal(expected)}, {literal(other)})"
    tolerance = atol or (_TOLERANCE_OF_FLOATS if _is_floats(expected) else 0)
    if not tolerance:
        return f"{called} == {literal(expected)}"
    if isinstance(expected, float):
        if not math.isfinite(expected):
            return f"{called} == {literal(expected)}"
        return f"abs({called} - {literal(expected)}) <= {tolerance + _RELATIVE_TOLERANCE * abs(expected)!r}"
    return f"is_close({called}, {literal(expected)}, {tolerance!r})"


def _other_answer(function: str, arguments: list[Any]) -> Any:
    """The second answer that EvalPlus accepts for a problem of MBPP, or `None`."""
    if function == "sum_div":
        return 0
    if function == "surface_Area":
        base, height = arguments
        slant = math.hypot(base / 2, height)  # `height` read as that of the pyramid, not of its faces
        return round(base**2 + 2 * base * slant)
    if function == "digit_distance_nums":
        first, second = map(str, arguments)
        length = max(len(first), len(second))
        pairs = list(zip(first.zfill(length), second.zfill(length), strict=True))
        is_whole = all(digit.isdecimal() for pair in pairs for digit in pair)
        return sum(abs(int(a) - int(b)) for a, b in pairs) if is_whole else None
    return None


def _is_floats(value: Any) -> bool:
    items = value if isinstance(value, (list, tuple)) and value else [value]
    return all(isinstance(item, float) for item in items)


def _has_nan(value: Any) -> bool:
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(map(_has_nan, value))
    if isinstance(value, dict):
        return any(map(_has_nan, value.values()))
    return isinstance(value, float) and value != value
