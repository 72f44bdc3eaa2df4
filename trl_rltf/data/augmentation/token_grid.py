"""Read standard input as a grid of tokens, and change it so that counts stay true."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .shapes import Shape, shape_of
from .varied_values import boundaries, sorted_items, vary


_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,30})", re.ASCII)
_FLOAT = re.compile(r"-?\d{1,15}\.(\d{1,12})", re.ASCII)
_MAX_TOKENS = 5_000  # of an input that is changed
_MAX_LINES_ADDED = 20
Grid = tuple[tuple[str, ...], ...]
Cell = tuple[int, int]


@dataclass(frozen=True)
class Count:
    """
    A token that says how much of something follows.

    Args:
        cell (`tuple[int, int]`): Line and position of the token.
        kind (`str`): What it counts: the `"tokens"` of a line, those that follow on its `"rest"`, the `"characters"` of a token,
            or groups of `"lines"` up to the end.
        line (`int`): The line, or the first one.
        size (`int`, *optional*, defaults to `1`): Lines per group.
    """

    cell: Cell
    kind: Literal["tokens", "rest", "characters", "lines"]
    line: int
    size: int = 1


def read_grid(text: str) -> Grid:
    """
    Split text into lines of tokens.

    Args:
        text (`str`): Standard input. Empty lines at the end are left out.

    Returns:
        `tuple[tuple[str, ...], ...]`: The tokens of each line.
    """
    lines = [tuple(line.split()) for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)


def write_grid(grid: Grid) -> str:
    """Write lines of tokens, with one blank between two tokens."""
    return "".join(f"{' '.join(line)}\n" for line in grid)


def find_counts(grid: Grid) -> list[Count]:
    """
    Find the tokens that count what follows.

    Args:
        grid (`Grid`): The input.

    Returns:
        `list[Count]`: The counts. A token may have several.
    """
    counts = []
    for line, tokens in enumerate(grid):
        for place, token in enumerate(tokens):
            if not _INTEGER.fullmatch(token) or int(token) < 1:
                continue
            counts.extend(_counts_of(grid, line, place, int(token)))
    return counts


def _counts_of(grid: Grid, line: int, place: int, number: int) -> Iterator[Count]:
    cell = (line, place)
    after = grid[line + 1 :]
    is_short = len(grid[line]) <= 4
    if line == 0 and after and len(after) % number == 0 and len(after) >= number:
        size = len(after) // number
        groups = [after[start : start + size] for start in range(0, len(after), size)]
        is_alike = number == 1 or len({tuple(len(part) > 0 for part in group) for group in groups}) == 1
        if is_alike and is_short:
            yield Count(cell, "lines", 1, size)
    if is_short:
        for distance, following in enumerate(after[:2], start=line + 1):
            if len(following) == number and (number > 1 or distance == line + 1):
                yield Count(cell, "tokens", distance)
            if len(following) == 1 and len(following[0]) == number and not _is_number(following[0]):
                yield Count(cell, "characters", distance)
    if place == 0 and len(grid[line]) == number + 1 and number > 1:
        yield Count(cell, "rest", line)


def _is_number(token: str) -> bool:
    return bool(_INTEGER.fullmatch(token) or _FLOAT.fullmatch(token))


class GridMutator:
    """
    Make inputs like those of a problem's tests.

    Args:
        texts (`Sequence[str]`): The inputs that were seen.
    """

    def __init__(self, texts: Sequence[str]):
        grids = [read_grid(text) for text in texts]
        self.grids = [grid for grid in grids if grid and sum(map(len, grid)) <= _MAX_TOKENS]
        self._counts: dict[Grid, list[Count]] = {}
        seen: dict[Any, list[Any]] = {}
        for grid in self.grids:
            for cell in self.free_cells(grid):
                seen.setdefault(self._slot(grid, cell), []).append(read_token(grid[cell[0]][cell[1]]))
            for count in self.counts(grid):
                seen.setdefault(("count", count.cell), []).append(int(grid[count.cell[0]][count.cell[1]]))
        self._shapes = {slot: shape_of(values) for slot, values in seen.items()}

    def counts(self, grid: Grid) -> list[Count]:
        """The counts of an input."""
        if grid not in self._counts:
            self._counts[grid] = find_counts(grid)
        return self._counts[grid]

    def free_cells(self, grid: Grid) -> list[Cell]:
        """Cells of an input that count nothing."""
        taken = {count.cell for count in self.counts(grid)}
        cells = ((line, place) for line, tokens in enumerate(grid) for place in range(len(tokens)))
        return [cell for cell in cells if cell not in taken]

    def shape(self, grid: Grid, cell: Cell) -> Shape:
        """Shape of the tokens at the place of a cell, in all inputs."""
        return self._shapes.get(self._slot(grid, cell)) or shape_of([read_token(grid[cell[0]][cell[1]])])

    def _slot(self, grid: Grid, cell: Cell) -> Any:
        """A name for places that hold the same kind of token."""
        line, place = cell
        counts = self.counts(grid)
        is_row = any(count.kind in ("tokens", "rest") and count.line == line for count in counts)
        column: Any = "row" if is_row or len(grid[line]) > 4 else place
        groups = next((count for count in counts if count.kind == "lines"), None)
        if groups is None or line < groups.line:
            return line, column
        return "group", (line - groups.line) % groups.size, column

    def boundaries(self) -> Iterator[Grid]:
        """
        Make inputs with boundary values.

        Yields:
            `Grid`: The next input: counts of 1 and 2, counted rows that are equal, sorted or reversed, and cells with boundary values.
        """
        for grid in self.grids:
            counts = self.counts(grid)
            for cell in dict.fromkeys(count.cell for count in counts):
                for number in (1, 2):
                    yield self.resize(grid, cell, number, random.Random(number))
            for count in counts:
                if count.kind in ("tokens", "rest"):
                    yield from self._boundary_rows(grid, count)
            for line, place in self.free_cells(grid)[:12]:
                value = read_token(grid[line][place])
                for other in boundaries(value, self.shape(grid, (line, place))):
                    yield replace_token(grid, (line, place), write_token(other, grid[line][place]))

    def _boundary_rows(self, grid: Grid, count: Count) -> Iterator[Grid]:
        start = 1 if count.kind == "rest" else 0
        row = [read_token(token) for token in grid[count.line][start:]]
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
        counts, cells = self.counts(grid), self.free_cells(grid)
        actions = [*["resize"] * bool(counts), *["cell"] * 3 * bool(cells)]
        rows = [count for count in counts if count.kind in ("tokens", "rest")]
        actions += ["shuffle", "equal"] * bool(rows)
        if not actions:
            return grid
        action = rng.choice(actions)
        if action == "resize":
            line, place = rng.choice(counts).cell
            number = int(grid[line][place])
            low, high = self._shapes[("count", (line, place))].range_of_numbers() if ("count", (line, place)) in self._shapes else (1, 2 * number)
            wanted = rng.choice([number - 1, number + 1, rng.randint(low, high)])
            most = min(max(high, 1), number + _MAX_LINES_ADDED)
            return self.resize(grid, (line, place), max(1, low, min(wanted, most)), rng)
        if action == "cell":
            line, place = rng.choice(cells)
            value = vary(read_token(grid[line][place]), self.shape(grid, (line, place)), rng)
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
        # Groups of lines come last, since they change the numbers of lines.
        counts = sorted((count for count in self.counts(grid) if count.cell == cell), key=lambda count: count.kind == "lines")
        grid = replace_token(grid, cell, str(number))
        is_grouped = False
        for count in counts:
            if count.kind == "lines":
                if not is_grouped and len(counts) == 1:
                    grid = _resize_groups(grid, count, number, rng)
                is_grouped = True
                continue
            start = 1 if count.kind == "rest" else 0
            line = grid[count.line]
            if count.kind == "characters":
                grid = replace_line(grid, count.line, ("".join(_resized(list(line[0]), number, rng)),))
            else:
                grid = replace_line(grid, count.line, (*line[:start], *_resized(list(line[start:]), number, rng)))
        return grid


def _resize_groups(grid: Grid, count: Count, number: int, rng: random.Random) -> Grid:
    body = grid[count.line :]
    groups = [body[start : start + count.size] for start in range(0, len(body), count.size)]
    return (*grid[: count.line], *(line for group in _resized(groups, number, rng) for line in group))


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


def read_token(token: str) -> int | float | str:
    """Value of a token: a number, or text."""
    if _INTEGER.fullmatch(token):
        return int(token)
    return float(token) if _FLOAT.fullmatch(token) else token


def write_token(value: int | float | str, like: str) -> str:
    """Write a value as the token that it replaces, with as many digits."""
    if isinstance(value, float):
        digits = _FLOAT.fullmatch(like)
        return f"{value:.{len(digits[1])}f}" if digits else f"{value:g}"
    return str(value)
