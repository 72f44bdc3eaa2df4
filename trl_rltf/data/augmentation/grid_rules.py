"""Find rules that all inputs of a problem follow, so that new ones follow them too."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from .grid_layout import Grid, Layout, read_token


_MIN_DISTINCT = 4  # tokens of rows without repetition
_MIN_SORTED = 5  # pairs of neighbours in order
_MANY = 6  # numbers below a bound
_MIN_SIBLINGS = 3  # lines without repetition
_Rule = tuple[str, Any]


class GridRules:
    """
    Rules that the inputs of a problem follow.

    - Tokens of a line differ from each other.
    - Numbers of a line are sorted.
    - Numbers of a line are those from 1 to their number, in any order.
    - Lines of a group differ from each other.
    - No number after a count, or after another number of a first line, is above it.

    A rule counts if it holds in all inputs, at enough places not to be a coincidence.

    Args:
        layout ([`Layout`]): The layout of the inputs.
        grids (`Sequence[Grid]`): The inputs.
    """

    def __init__(self, layout: Layout, grids: Sequence[Grid]):
        self._layout = layout
        self._rules: set[_Rule] = set()
        support: dict[_Rule, int] = defaultdict(int)
        broken: set[_Rule] = set()
        for grid in grids:
            for rule, strength, holds in self._facts(grid):
                support[rule] += strength
                if not holds:
                    broken.add(rule)
        least = {
            "distinct": _MIN_DISTINCT,
            "sorted": _MIN_SORTED,
            "permutation": 2,
            "siblings": _MIN_SIBLINGS,
            "bound": 2,
        }
        self._rules = {rule for rule, total in support.items() if rule not in broken and total >= least[rule[0]]}

    def allow(self, grid: Grid) -> bool:
        """
        Whether an input follows the rules.

        Args:
            grid (`Grid`): A new input.
        """
        return all(holds for rule, _, holds in self._facts(grid) if rule in self._rules)

    def _facts(self, grid: Grid) -> Iterator[tuple[_Rule, int, bool]]:
        """Rules that an input could follow, the strength of the evidence, and whether it does."""
        classes = self._layout.classes(grid)
        counts = self._layout.counts(grid)
        start_of = {count.line: 1 for count in counts if count.kind == "rest"}
        for line, (name, tokens) in enumerate(zip(classes, grid, strict=True)):
            row = tokens[start_of.get(line, 0) :]
            if len(row) < 2:
                continue
            yield ("distinct", name), len(row), len(set(row)) == len(row)
            values = [read_token(token) for token in row]
            numbers = [value for value in values if isinstance(value, (int, float))]
            if len(numbers) == len(values):
                in_order = all(first <= second for first, second in itertools.pairwise(numbers))
                yield ("sorted", name), len(row) - 1, in_order
                yield ("permutation", name), int(len(row) > 2), sorted(numbers) == list(range(1, len(row) + 1))
        for count in counts:
            if count.kind != "groups" or (
                count.cell == (0, 0) and any(end - start > 1 for start, end in count.groups)
            ):
                continue
            groups = [grid[start:end] for start, end in count.groups]
            if len(groups) > 1:
                name = classes[count.cell[0]]
                yield ("siblings", name), len(groups), len(set(groups)) == len(groups)
        yield from self._bounds(grid, classes)

    def _bounds(self, grid: Grid, classes: list[Any]) -> Iterator[tuple[_Rule, int, bool]]:
        """Numbers of short lines that bound the numbers of the lines after them, up to the next line of the same kind."""
        for line, tokens in enumerate(grid):
            if len(tokens) > 4:
                continue
            after = []
            for later in range(line + 1, len(grid)):
                if classes[later] == classes[line] or classes[later] == "header":
                    break
                after.append(later)
            numbers = [
                number for later in after for token in grid[later] if isinstance(number := read_token(token), int)
            ]
            if len(numbers) < 2:
                continue
            for place, token in enumerate(tokens):
                value = read_token(token)
                if isinstance(value, int):
                    # A bound that is reached is more than a large number, above all by many numbers.
                    strength = (1 + (len(numbers) >= _MANY)) * (max(numbers) == value)
                    yield ("bound", (classes[line], place)), strength, max(numbers) <= value
