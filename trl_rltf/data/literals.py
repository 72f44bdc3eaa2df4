"""Write values as Python source, for tests that are asserts."""

from __future__ import annotations

from typing import Any

from ..execution.wire.long_integers import any_number_of_digits


def literal(value: Any) -> str:
    """
    Write a value as a Python expression.

    Numbers that are not finite are written without a call, so that an assert with them can still be split.

    Args:
        value (`Any`): A number, text, `None`, or a list, tuple, set or mapping of such values.

    Returns:
        `str`: The expression.

    Raises:
        TypeError: If a value has no such expression. The message names its type.
    """
    with any_number_of_digits():
        return _literal(value)


def _literal(value: Any) -> str:
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return "(1e999 - 1e999)" if value != value else "1e999" if value > 0 else "-1e999"
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(item)}" for key, item in value.items()) + "}"
    items = ", ".join(map(_literal, value)) if isinstance(value, (list, tuple, set, frozenset)) else ""
    if isinstance(value, list):
        return f"[{items}]"
    if isinstance(value, tuple):
        return f"({items},)" if len(value) == 1 else f"({items})"
    if isinstance(value, set):
        return f"{{{items}}}" if value else "set()"
    if isinstance(value, frozenset):
        return f"frozenset({{{items}}})" if value else "frozenset()"
    raise TypeError(f"a value of type {type(value).__name__} cannot be written as source")


def call(function: str, arguments: list[Any]) -> str:
    """Write the call of a function with the given arguments."""
    return f"{function}({', '.join(map(literal, arguments))})"


def text_of(value: Any) -> str:
    """
    Write a value as `repr` does, with integers of any length.

    Args:
        value (`Any`): A plain value.

    Returns:
        `str`: Its text.
    """
    try:
        return repr(value)
    except ValueError:  # an integer of more digits than the interpreter writes by default
        with any_number_of_digits():
            return repr(value)
