"""Describe the values that inputs have: their types, ranges and lengths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any


_ENOUGH = 5  # values from which their range is that of the problem, and not of one example
_MAX_GROWTH = 20  # of the largest length
_MAX_POSITIONS = 8


@dataclass(frozen=True)
class Shape:
    """
    What the values at one place of the inputs have in common.

    Args:
        types (`frozenset[type]`): Types that were seen.
        low (`float`, *optional*): Least number.
        high (`float`, *optional*): Largest number.
        num_numbers (`int`, *optional*, defaults to `0`): How many numbers were seen.
        alphabet (`str`, *optional*, defaults to `""`): Characters of the texts, sorted.
        quote (`str`, *optional*, defaults to `""`): Quotation mark around all texts, which their alphabet and lengths leave out.
        lengths (`tuple[int, int]`, *optional*): Least and largest length of texts and containers.
        num_sized (`int`, *optional*, defaults to `0`): How many texts and containers were seen.
        items (`Shape`, *optional*): Items of the containers, or values of the mappings.
        keys (`Shape`, *optional*): Keys of the mappings.
        positions (`tuple[Shape, ...]`, *optional*): Shape per position, where all of several sequences have the same length.
    """

    types: frozenset[type]
    _: KW_ONLY
    low: float = 0
    high: float = 0
    num_numbers: int = 0
    alphabet: str = ""
    quote: str = ""
    lengths: tuple[int, int] = (0, 0)
    num_sized: int = 0
    items: Shape | None = None
    keys: Shape | None = None
    positions: tuple[Shape, ...] = ()

    @property
    def has_fixed_length(self) -> bool:
        """Whether several values had the same length, as the points of a plane have."""
        return self.num_sized > 1 and self.lengths[0] == self.lengths[1]

    @property
    def is_few(self) -> bool:
        """Whether the numbers are too few to show the range of the problem."""
        return self.num_numbers < _ENOUGH

    def range_of_numbers(self) -> tuple[int, int]:
        """
        Least and largest whole number that a new input may have.

        The range is the one that was seen. That of few numbers is extended to 1 (or 0, or twice the least negative number) and
        to twice the largest. Numbers are never negative where none was.
        """
        low, high = int(self.low), int(self.high)
        if not self.is_few:
            return low, high
        least = 2 * low if low < 0 else min(low, 1)
        return least, max(2 * high, high + 1)

    def range_of_lengths(self) -> tuple[int, int]:
        """
        Least and largest length that a new text or container may have.

        The range is the one that was seen. That of few values is extended to 1 and to twice the largest.
        """
        least, most = self.lengths
        if self.has_fixed_length or self.num_sized >= _ENOUGH:
            return least, most
        return min(least, 1), min(2 * most, most + _MAX_GROWTH)


def shape_of(values: Iterable[Any]) -> Shape:
    """
    Describe values of one place.

    Args:
        values (`Iterable[Any]`): Plain values, such as one argument of all inputs.

    Returns:
        [`Shape`]: Their shape.
    """
    values = list(values)
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    finite = [number for number in numbers if abs(number) <= 2**1000]
    texts = [value for value in values if isinstance(value, str)]
    quote = _quote(texts)
    texts = [text[1:-1] for text in texts] if quote else texts
    containers = [value for value in values if isinstance(value, (list, tuple, set, frozenset, dict))]
    sizes = [len(value) for value in (*texts, *containers)]
    sequences = [value for value in containers if isinstance(value, (list, tuple))]
    mappings = [value for value in containers if isinstance(value, dict)]
    items = [item for value in containers for item in (value.values() if isinstance(value, dict) else value)]
    is_fixed = len(sequences) > 1 and len({len(value) for value in sequences}) == 1
    return Shape(
        frozenset(map(type, values)),
        low=min(finite, default=0),
        high=max(finite, default=0),
        num_numbers=len(finite),
        quote=quote,
        alphabet="".join(sorted(set("".join(texts)))),
        lengths=(min(sizes, default=0), max(sizes, default=0)),
        num_sized=len(sizes),
        items=shape_of(items) if items else None,
        keys=shape_of(key for value in mappings for key in value) if mappings else None,
        positions=_positions(sequences) if is_fixed and len(sequences[0]) <= _MAX_POSITIONS else (),
    )


def _quote(texts: Sequence[str]) -> str:
    """The quotation mark around all texts, as in inputs that were written twice."""
    marks = {text[0] for text in texts if text}
    is_quoted = all(len(text) > 1 and text[0] == text[-1] for text in texts)
    return marks.pop() if is_quoted and marks in ({'"'}, {"'"}) else ""


def _positions(sequences: Sequence[Sequence[Any]]) -> tuple[Shape, ...]:
    return tuple(map(shape_of, zip(*sequences, strict=True)))
