"""Find the properties of the arguments of a function from which rules follow."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from .rules import Fact, facts_of_numbers, facts_of_text


_MAX_ITEMS = 200  # of a container whose items are read


def facts_of_arguments(arguments: Sequence[Any]) -> Iterator[Fact]:
    """
    Find the properties of the arguments of a call.

    - Items of a sequence differ, are sorted, or are the numbers from 1 to their number in any order.
    - Texts begin with the same character, or are palindromes; texts of digits do not begin with a zero.
    - Two arguments have the same length; a number is below the length of another argument, or not above the next number.

    Args:
        arguments (`Sequence[Any]`): The arguments.

    Yields:
        [`Fact`]: The next property. Items of one container share its place.
    """
    for index, argument in enumerate(arguments):
        yield from _facts_of_value(index, argument)
    for first, second in itertools.permutations(range(len(arguments)), 2):
        one, other = arguments[first], arguments[second]
        if isinstance(other, (str, list, tuple)):
            if isinstance(one, (str, list, tuple)) and first < second:
                yield Fact("same_length", (first, second), len(one) == len(other), int(len(one) > 2))
            if type(one) is int:
                yield Fact("below_length", (first, second), 0 <= one < len(other), 1)
        if second == first + 1 and type(one) is int and type(other) is int:
            yield Fact("in_order", first, one <= other, 1)


def _facts_of_value(place: Hashable, value: Any) -> Iterator[Fact]:
    if isinstance(value, str):
        yield from facts_of_text(place, value)
    elif isinstance(value, (list, tuple)):
        yield from facts_of_numbers(place, value)
        for item in value[:_MAX_ITEMS]:
            yield from _facts_of_value((place, "item"), item)
    elif isinstance(value, dict):
        for item in list(value.values())[:_MAX_ITEMS]:
            yield from _facts_of_value((place, "value"), item)
