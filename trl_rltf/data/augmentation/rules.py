"""Find what all inputs of a problem have in common, so that new ones have it too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from ..literals import text_of


Item = TypeVar("Item")
# Strength of the evidence from which a property is a rule, and not a coincidence.
LEAST = {
    "distinct": 4,  # items of sequences without repetition
    "sorted": 5,  # pairs of neighbours in order
    "permutation": 2,  # halves of sequences of the numbers from 1 to their length
    "siblings": 3,  # lines of a group without repetition
    "bound": 2,  # bounds that are reached
    "at_most": 4,  # numbers that no later one is above
    "below": 4,  # numbers that all later ones are below
    "palindrome": 3,  # texts of three characters or more that read the same backwards
    "no_leading_zero": 1,  # texts of digits
    "first_character": 4,  # texts
    "same_length": 1,  # calls with two arguments of the same length, above 2
    "below_length": 4,  # calls with a number below the length of another argument
    "in_order": 5,  # numbers that are not above the next one
}


class Fact(NamedTuple):
    """
    A property of one input.

    Args:
        kind (`str`): A key of `LEAST`.
        place (`Hashable`): The part of the input that has it.
        value (`Any`): `True`, `False`, or another value that may be the same everywhere.
        strength (`int`): How much it counts as evidence; 0 if it could hardly be otherwise.
    """

    kind: str
    place: Hashable
    value: Any
    strength: int


class Rules(Generic[Item]):
    """
    Properties that have one value in all inputs, at enough places to be rules.

    Args:
        facts (`Callable[[Item], Iterator[Fact]]`): Finds the properties of an input.
        seen (`Sequence[Item]`): The inputs.
    """

    def __init__(self, facts: Callable[[Item], Iterator[Fact]], seen: Sequence[Item]):
        self._facts = facts
        strengths: dict[tuple[str, Hashable], int] = defaultdict(int)
        values: dict[tuple[str, Hashable], set[Any]] = defaultdict(set)
        for item in seen:
            for kind, place, value, strength in facts(item):
                strengths[kind, place] += strength
                values[kind, place].add(value)
        self.required: dict[tuple[str, Hashable], Any] = {
            key: next(iter(found))
            for key, found in values.items()
            if len(found) == 1 and found != {False} and strengths[key] >= LEAST[key[0]]
        }

    def allow(self, item: Item) -> bool:
        """
        Whether a new input follows the rules.

        Args:
            item (`Item`): The input.
        """
        facts = self._facts(item)
        return all(self.required.get((kind, place), value) == value for kind, place, value, _ in facts)


def facts_of_text(place: Hashable, text: str) -> Iterator[Fact]:
    """
    Properties of a text: its first character, a palindrome, or a leading zero.

    Args:
        place (`Hashable`): Where it is.
        text (`str`): The text.

    Yields:
        [`Fact`]: The next property.
    """
    if text.isdecimal() and len(text) > 1:
        yield Fact("no_leading_zero", place, text[0] != "0", 1)
    if text:
        yield Fact("first_character", place, text[0], 1)
        yield Fact("palindrome", place, text == text[::-1], int(len(text) > 2))


def facts_of_numbers(place: Hashable, values: Sequence[Any]) -> Iterator[Fact]:
    """
    Properties of a sequence of values: distinct, sorted, or a permutation.

    Args:
        place (`Hashable`): Where it is.
        values (`Sequence[Any]`): The values.

    Yields:
        [`Fact`]: The next property.
    """
    if len(values) < 2:
        return
    yield Fact("distinct", place, len(set(map(text_of, values))) == len(values), len(values))
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        ordered = sorted(values)
        yield Fact("sorted", place, ordered == list(values), len(values) - 1)
        is_permutation = ordered == list(range(1, len(values) + 1))
        yield Fact("permutation", place, is_permutation, len(values) // 2 if len(values) > 2 else 0)
