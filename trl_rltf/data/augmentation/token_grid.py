"""Make standard input like that of the tests, whose counts stay true."""

from __future__ import annotations

import dataclasses
import functools
import random
from collections.abc import Iterator, Sequence
from typing import Any

from .grid_layout import Cell, Count, Grid, Layout, read_grid, read_token, write_token
from .grid_rules import facts_of_grid
from .rules import Rules
from .shapes import Shape, shape_of
from .varied_values import boundaries, sorted_items, vary


_MAX_TOKENS = 2_000  # of an input that is changed
_MAX_ADDED = 20  # groups, tokens or characters by which a count grows
_MAX_COLUMNS = 4  # of a line whose tokens each have a separate role
_MAX_UNKNOWN = 2  # first lines that may hold counts which were not found
_MIN_BINARY = 2  # digits of a binary number have more
_MAX_CELLS = 12  # per input that get boundary values


class GridMutator:
    """
    Make inputs like those of a problem's tests.

    Args:
        texts (`Sequence[str]`): The inputs that were seen.
    """

    def __init__(self, texts: Sequence[str]):
        grids = [read_grid(text) for text in texts]
        self.grids = [grid for grid in grids if grid and sum(map(len, grid)) <= _MAX_TOKENS]
        self.layout = Layout(self.grids)
        self.rules = Rules(functools.partial(facts_of_grid, self.layout), self.grids)
        tokens: dict[Any, list[str]] = {}
        for grid in self.grids:
            for line, row in enumerate(grid):
                for place, token in enumerate(row):
                    tokens.setdefault(self._slot(grid, (line, place)), []).append(token)
        # Where one token is 007 or all are like 1101, the tokens are texts of digits.
        self._texts = {slot for slot, found in tokens.items() if slot[1] == "text" or _are_texts_of_digits(found)}
        self._shapes = {
            slot: shape_of(found if slot in self._texts else map(read_token, found)) for slot, found in tokens.items()
        }

    def free_cells(self, grid: Grid) -> list[Cell]:
        """Cells that may change: not counts, nor numbers at the top of an unknown layout."""
        taken = {count.cell for count in self.layout.counts(grid)}
        if not self.layout.is_explained:
            headers = [line for line in range(min(_MAX_UNKNOWN, len(grid))) if len(grid[line]) <= _MAX_COLUMNS]
            numbers = ((line, place) for line in headers for place in range(len(grid[line])))
            taken.update(cell for cell in numbers if isinstance(read_token(grid[cell[0]][cell[1]]), int))
        cells = ((line, place) for line, tokens in enumerate(grid) for place in range(len(tokens)))
        return [cell for cell in cells if cell not in taken]

    def value(self, grid: Grid, cell: Cell) -> int | float | str:
        """Value of a cell: a number, or text."""
        token = grid[cell[0]][cell[1]]
        return token if self._slot(grid, cell) in self._texts else read_token(token)

    def shape(self, grid: Grid, cell: Cell) -> Shape:
        """Shape of the tokens at a place; a text with counted characters keeps its length."""
        slot = self._slot(grid, cell)
        shape = self._shapes.get(slot) or shape_of([self.value(grid, cell)])
        if any(count.kind == "characters" and count.line == cell[0] for count in self.layout.counts(grid)):
            length = len(grid[cell[0]][cell[1]])
            return dataclasses.replace(shape, lengths=(length, length), num_sized=2)
        return shape

    def _slot(self, grid: Grid, cell: Cell) -> Any:
        """A name for places that hold the same kind of token."""
        line, place = cell
        rows = {
            count.line: int(count.kind == "rest")
            for count in self.layout.counts(grid)
            if count.kind in ("tokens", "rest")
        }
        name = self.layout.classes(grid)[line]
        if any(count.kind == "characters" and count.line == line for count in self.layout.counts(grid)):
            return name, "text"
        is_row = (line in rows and place >= rows[line]) or (
            len(grid[line]) > _MAX_COLUMNS and name not in self.layout.tables
        )
        return name, "row" if is_row else place

    def boundaries(self) -> Iterator[Grid]:
        """
        Make inputs with boundary values.

        Yields:
            `Grid`: The next input: counts of 1 and 2, counted rows that are equal, sorted or reversed, and cells with boundary values.
        """
        for grid in self.grids:
            counts = self.layout.counts(grid)
            for cell in dict.fromkeys(count.cell for count in counts):
                for number in (1, 2):
                    yield self.resize(grid, cell, number, random.Random(number))
            for count in counts:
                if count.kind in ("tokens", "rest"):
                    yield from self._boundary_rows(grid, count)
            for line, place in self.free_cells(grid)[:_MAX_CELLS]:
                value = self.value(grid, (line, place))
                for other in boundaries(value, self.shape(grid, (line, place))):
                    yield replace_token(grid, (line, place), write_token(other, grid[line][place]))

    def _boundary_rows(self, grid: Grid, count: Count) -> Iterator[Grid]:
        start = 1 if count.kind == "rest" else 0
        row = [self.value(grid, (count.line, place)) for place in range(start, len(grid[count.line]))]
        rows = [[row[0]] * len(row), sorted_items(row), sorted_items(row)[::-1], row[::-1]]
        rows += [[value] * len(row) for value in boundaries(row[0], self.shape(grid, (count.line, start)))]
        for values in rows:
            tokens = (write_token(value, grid[count.line][start]) for value in values)
            yield replace_line(grid, count.line, (*grid[count.line][:start], *tokens))

    def mutate(self, grid: Grid, rng: random.Random) -> Grid:
        """
        Change an input in one place.

        Args:
            grid (`Grid`): The input.
            rng (`random.Random`): Source of randomness.

        Returns:
            `Grid`: The new input, which may be equal.
        """
        counts, cells = self.layout.counts(grid), self.free_cells(grid)
        actions = [*["resize"] * bool(counts), *["cell"] * 3 * bool(cells)]
        rows = [count for count in counts if count.kind in ("tokens", "rest")]
        actions += ["shuffle", "equal"] * bool(rows)
        if not actions:
            return grid
        action = rng.choice(actions)
        if action == "resize":
            line, place = rng.choice(counts).cell
            number = int(grid[line][place])
            low, high = self.shape(grid, (line, place)).range_of_numbers()
            wanted = rng.choice([number - 1, number + 1, rng.randint(low, max(low, high))])
            most = min(max(high, 1), number + _MAX_ADDED)
            return self.resize(grid, (line, place), max(1, low, min(wanted, most)), rng)
        if action == "cell":
            line, place = rng.choice(cells)
            value = vary(self.value(grid, (line, place)), self.shape(grid, (line, place)), rng)
            return replace_token(grid, (line, place), write_token(value, grid[line][place]))
        count = rng.choice(rows)
        start = 1 if count.kind == "rest" else 0
        tokens = list(grid[count.line][start:])
        if action == "shuffle":
            rng.shuffle(tokens)
        elif tokens:
            tokens[rng.randrange(len(tokens))] = rng.choice(tokens)
        return replace_line(grid, count.line, (*grid[count.line][:start], *tokens))

    def resize(self, grid: Grid, cell: Cell, number: int, rng: random.Random) -> Grid:
        """
        Change a count and what it counts.

        Args:
            grid (`Grid`): The input.
            cell (`tuple[int, int]`): The cell of the count.
            number (`int`): The new count, at least 1.
            rng (`random.Random`): Chooses what is copied, if the count grows.

        Returns:
            `Grid`: The new input.
        """
        counts = [count for count in self.layout.counts(grid) if count.cell == cell]
        grid = replace_token(grid, cell, str(number))
        # Groups of lines come last, since they change the numbers of lines.
        for count in sorted(counts, key=lambda count: count.kind == "groups"):
            if count.kind == "groups":
                return _resize_groups(grid, count, number, rng)
            start = int(count.kind == "rest")
            line = grid[count.line]
            if count.kind == "characters":
                grid = replace_line(grid, count.line, ("".join(_resized(list(line[0]), number, rng)),))
            else:
                grid = replace_line(grid, count.line, (*line[:start], *_resized(list(line[start:]), number, rng)))
        return grid


def _resize_groups(grid: Grid, count: Count, number: int, rng: random.Random) -> Grid:
    if not count.groups:
        return grid
    groups = [grid[start:end] for start, end in count.groups]
    resized = [line for group in _resized(groups, number, rng) for line in group]
    return (*grid[: count.groups[0][0]], *resized, *grid[count.groups[-1][1] :])


def _resized(items: list[Any], number: int, rng: random.Random) -> list[Any]:
    """The first items, or all and copies of some."""
    return [*items[:number], *(rng.choice(items) for _ in range(number - len(items)))]


def replace_line(grid: Grid, line: int, tokens: tuple[str, ...]) -> Grid:
    """The grid with another line."""
    return (*grid[:line], tokens, *grid[line + 1 :])


def replace_token(grid: Grid, cell: Cell, token: str) -> Grid:
    """The grid with another token. An empty one leaves an empty line, or is left out."""
    line, place = cell
    tokens = (*grid[line][:place], *((token,) if token else ()), *grid[line][place + 1 :])
    return replace_line(grid, line, tokens)


def _are_texts_of_digits(tokens: Sequence[str]) -> bool:
    has_zero = any(token.isdecimal() and len(token) > 1 and token[0] == "0" for token in tokens)
    return has_zero or (set("".join(tokens)) <= {"0", "1"} and max(map(len, tokens)) > _MIN_BINARY)
