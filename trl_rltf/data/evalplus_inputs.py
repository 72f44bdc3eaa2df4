"""Restore the inputs of MBPP+ that its JSON files cannot hold, such as tuples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


# How the arguments of a problem have to be converted: the task ids that `mbpp_deserialize_inputs` of EvalPlus lists
# (evalplus/data/mbpp.py, version 0.3.1).
_Convert = Callable[[list[Any]], list[Any]]


def _tuples(values: list[Any]) -> list[Any]:
    return [tuple(value) for value in values]


def _nested_tuples(value: Any) -> Any:
    return tuple(map(_nested_tuples, value)) if isinstance(value, list) else value


def _first(convert: Callable[[Any], Any]) -> _Convert:
    return lambda arguments: [convert(arguments[0]), *arguments[1:]]


_CONVERSIONS: list[tuple[str, _Convert]] = [
    # Each argument is a tuple.
    ("2 116 132 143 222 261 273 394 399 421 424 429 470 560 579 596 616 630 726 740 744 809", _tuples),
    # Each argument is a list of tuples.
    ("63 64 70 94 120 237 272 299 400 409 417 438 473 614 780", lambda arguments: [*map(_tuples, arguments)]),
    ("75 413 444 753", _first(_tuples)),
    ("106 750", lambda arguments: [arguments[0], tuple(arguments[1])]),
    ("115", _first(lambda items: [set(item) if isinstance(item, list) and item else {} for item in items])),
    ("124", lambda arguments: [float(arguments[0]), complex(arguments[1])]),
    ("250 307 405 446 617 720 763 808", _first(tuple)),
    # Each argument is a tuple of tuples.
    ("259 401 445", lambda arguments: [tuple(_tuples(argument)) for argument in arguments]),
    ("278", _first(lambda items: tuple(tuple(item) if isinstance(item, list) else item for item in items))),
    ("722", _first(lambda items: {key: tuple(value) for key, value in items.items()})),
    ("252", _first(complex)),
    ("580 615 791", lambda arguments: [*map(_nested_tuples, arguments)]),
]
_BY_TASK = {int(task): convert for tasks, convert in _CONVERSIONS for task in tasks.split()}


def restore_mbpp_input(task: int, arguments: list[Any]) -> list[Any]:
    """
    Restore the types of the arguments of a test.

    Args:
        task (`int`): Number of the MBPP problem.
        arguments (`list`): Arguments as they are in the file.

    Returns:
        `list`: The arguments.

    Raises:
        TypeError, ValueError, AttributeError, IndexError: If they do not have the form that the problem has.
    """
    return _BY_TASK.get(task, list)(arguments)
