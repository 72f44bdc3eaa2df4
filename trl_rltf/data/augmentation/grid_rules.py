"""Find the properties of standard input from which rules follow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .grid_layout import Grid, Layout, read_token
from .rules import Fact, facts_of_numbers, facts_of_text


_MANY = 6  # numbers below a bound
_MAX_TOP = 3  # lines from the top that may have bounds, without groups
_MAX_HEADER = 4  # tokens of a line that may have bounds


def facts_of_grid(layout: Layout, grid: Grid) -> Iterator[Fact]:
    """
    Find the properties of an input.

    - Tokens of a line differ, are sorted, or are the numbers from 1 to their number in any order.
    - Texts begin with the same character, or are palindromes; texts of digits do not begin with a zero.
    - A number of a short line is not above the next one.
    - Lines of a group differ from each other.
    - No number after a number of a short line is above it.

    Args:
        layout ([`Layout`]): The layout of the inputs.
        grid (`Grid`): The input.

    Yields:
        [`Fact`]: The next property. Lines with the same role share its place.
    """
    classes = layout.classes(grid)
    counts = layout.counts(grid)
    starts = {count.line: 1 for count in counts if count.kind == "rest"}
    texts = {count.line for count in counts if count.kind == "characters"}
    for line, (name, tokens) in enumerate(zip(classes, grid, strict=True)):
        yield from facts_of_numbers(name, list(map(read_token, tokens[starts.get(line, 0) :])))
        for place, token in enumerate(tokens[:_MAX_HEADER]):
            is_text = line in texts or isinstance(read_token(token), str)
            # A number may begin with any digit.
            yield from (
                fact for fact in facts_of_text((name, place), token) if is_text or fact.kind != "first_character"
            )
    for count in counts:
        is_outer = count.cell[0] == 0 and any(end - start > 1 for start, end in count.groups)
        if count.kind == "groups" and not is_outer and len(count.groups) > 1:
            groups = [grid[start:end] for start, end in count.groups]
            yield Fact("siblings", classes[count.cell[0]], len(set(groups)) == len(groups), len(groups))
    yield from _bounds(grid, classes)


def _bounds(grid: Grid, classes: list[Any]) -> Iterator[Fact]:
    """Numbers that bound those after them, up to the next line of the same kind."""
    for line, tokens in enumerate(grid):
        if len(tokens) > _MAX_HEADER or (isinstance(classes[line], int) and line >= _MAX_TOP):
            continue
        after = []
        for later in range(line + 1, len(grid)):
            if classes[later] in (classes[line], "header"):
                break
            after.append(later)
        numbers = [number for later in after for token in grid[later] if isinstance(number := read_token(token), int)]
        if len(numbers) < 2:
            continue
        for place, token in enumerate(tokens):
            value = read_token(token)
            if isinstance(value, int):
                # A bound that is reached is more than a large number, above all by many numbers.
                strength = (1 + (len(numbers) >= _MANY)) * (max(numbers) == value)
                yield Fact("bound", (classes[line], place), max(numbers) <= value, strength)
                yield Fact("at_most", (classes[line], place), max(numbers) <= value, 1)
                yield Fact("below", (classes[line], place), max(numbers) < value, 1)
