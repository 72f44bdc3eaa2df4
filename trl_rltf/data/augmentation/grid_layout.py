"""Find the layout of standard input: which numbers count what follows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal


_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,30})", re.ASCII)
_FLOAT = re.compile(r"-?\d{1,15}\.(\d{1,12})", re.ASCII)
_MAX_HEADER = 4  # tokens of a line that may hold counts
_MAX_TOP = 10  # lines from the top that may hold counts, without groups
_MAX_FOUND = 64  # inputs whose counts are kept
_MAX_DISTANCE = 2  # lines between a count and what it counts
_MAX_LINES_PER_ITEM = 2
Grid = tuple[tuple[str, ...], ...]
Cell = tuple[int, int]


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


@dataclass(frozen=True)
class Count:
    """
    A token that says how much of something follows.

    Args:
        cell (`tuple[int, int]`): Line and position of the token.
        kind (`str`): What it counts: the `"tokens"` of a line, those that follow on its `"rest"`, the `"characters"` of a token,
            or `"groups"` of lines.
        line (`int`, *optional*, defaults to `0`): The line whose tokens it counts.
        groups (`tuple[tuple[int, int], ...]`, *optional*): First line of each group, and the line after its last one.
    """

    cell: Cell
    kind: Literal["tokens", "rest", "characters", "groups"]
    line: int = 0
    groups: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class _Groups:
    """
    A hypothesis: the first line counts groups of lines up to the end.

    Args:
        place (`int`): Position of the count in the first line.
        size (`int`): Lines per group, or per item of a group.
        header (`int`): Position of the number of items in the first line of a group; -1 if all groups have the same size.
    """

    place: int
    size: int
    header: int = -1

    def split(self, grid: Grid) -> list[tuple[int, int]] | None:
        """The groups of an input, or `None` if it has another layout."""
        number = _count_at(grid, 0, self.place)
        if number is None:
            return None
        groups, line = [], 1
        for _ in range(min(number, len(grid))):
            size = self.size
            if self.header >= 0:
                items = _count_at(grid, line, self.header)
                if items is None:
                    return None
                size = 1 + items * self.size
            groups.append((line, line + size))
            line += size
        return groups if line == len(grid) and len(groups) == number else None


class Layout:
    """
    The layout that all inputs of a problem share.

    A number counts something only if that is true in all inputs, at all places of its kind, and for a number above 1 somewhere.

    Args:
        grids (`Sequence[Grid]`): The inputs.

    Attributes:
        lengths (`dict[Any, set[int]]`): Numbers of tokens of the lines of each kind.
        tables (`set[Any]`): Kinds of lines that all have as many tokens, so that each column may hold something else.
        is_explained (`bool`): Whether the counts say why lengths differ. If not, an unknown number may be a count.
    """

    def __init__(self, grids: Sequence[Grid]):
        self._found: dict[Grid, tuple[list[Any], list[Count]]] = {}
        self._relations: list[tuple[Any, int, Any, int]] = []
        self._groups = next((groups for groups in _hypotheses(grids) if _holds(groups, grids)), None)
        self._relations = [relation for relation in self._possible_relations(grids) if self._is_true(relation, grids)]
        self._found.clear()
        self.lengths: dict[Any, set[int]] = {}
        num_lines: dict[Any, int] = {}
        for grid in grids:
            for name, tokens in zip(self.classes(grid), grid, strict=True):
                self.lengths.setdefault(name, set()).add(len(tokens))
                num_lines[name] = num_lines.get(name, 0) + 1
        self.tables = {name for name, found in self.lengths.items() if len(found) == 1 and num_lines[name] > 1}
        self.is_explained = self._explains(grids)

    def _explains(self, grids: Sequence[Grid]) -> bool:
        """Whether counts say why numbers of lines and of tokens differ."""
        if self._groups is None and len({len(grid) for grid in grids}) > 1:
            return False
        counted = {
            classes[count.line]
            for grid in grids
            for classes in [self.classes(grid)]
            for count in self.counts(grid)
            if count.kind in ("tokens", "rest")
        }
        return all(len(found) == 1 or name in counted for name, found in self.lengths.items())

    def classes(self, grid: Grid) -> list[Any]:
        """
        Name the kind of each line.

        Args:
            grid (`Grid`): An input of this layout.

        Returns:
            `list`: One name per line; lines with the same role in different groups have the same name.
        """
        return self._read(grid)[0]

    def counts(self, grid: Grid) -> list[Count]:
        """
        Find the tokens of an input that count what follows.

        Args:
            grid (`Grid`): An input of this layout.

        Returns:
            `list[Count]`: The counts. A token may have several.
        """
        return self._read(grid)[1]

    def _read(self, grid: Grid) -> tuple[list[Any], list[Count]]:
        if grid not in self._found:
            if len(self._found) >= _MAX_FOUND:
                self._found.clear()
            classes = self._find_classes(grid)
            self._found[grid] = classes, self._find_counts(grid, classes)
        return self._found[grid]

    def _find_classes(self, grid: Grid) -> list[Any]:
        groups = None if self._groups is None else self._groups.split(grid)
        if groups is None or self._groups is None:
            return list(range(len(grid)))
        names: list[Any] = [0]
        for start, end in groups:
            for line in range(start, end):
                place = line - start
                if self._groups.header >= 0:
                    names.append("header" if place == 0 else ("item", (place - 1) % self._groups.size))
                else:
                    names.append(("group", place))
        return names

    def _find_counts(self, grid: Grid, classes: list[Any]) -> list[Count]:
        found = []
        groups = None if self._groups is None else self._groups.split(grid)
        if groups is not None and self._groups is not None:
            found.append(Count((0, self._groups.place), "groups", groups=tuple(groups)))
            if self._groups.header >= 0:
                size = self._groups.size
                for start, end in groups:
                    items = tuple((line, line + size) for line in range(start + 1, end, size))
                    found.append(Count((start, self._groups.header), "groups", groups=items))
        for name, place, kind, distance in self._relations:
            for line, other in enumerate(classes):
                if other == name and line + distance < len(grid):
                    found.append(Count((line, place), kind, line + distance))
        return found

    def _possible_relations(self, grids: Sequence[Grid]) -> Iterator[tuple[Any, int, Any, int]]:
        counted: set[tuple[Any, int]] = {(0, self._groups.place)} if self._groups is not None else set()
        if self._groups is not None and self._groups.header >= 0:
            counted.add(("header", self._groups.header))
        names = dict.fromkeys(name for grid in grids for name in self.classes(grid))
        for name in names:
            if isinstance(name, int) and name >= _MAX_TOP:
                continue
            yield name, 0, "rest", 0
            for place in range(_MAX_HEADER):
                if (name, place) in counted:
                    continue
                for distance in range(1, _MAX_DISTANCE + 1):
                    yield name, place, "tokens", distance
                    yield name, place, "characters", distance

    def _is_true(self, relation: tuple[Any, int, Any, int], grids: Sequence[Grid]) -> bool:
        name, place, kind, distance = relation
        largest, num_places, is_alone = 0, 0, True
        numbers_of_digits = set()
        for grid in grids:
            for line, other in enumerate(self.classes(grid)):
                if other != name:
                    continue
                number = _count_at(grid, line, place)
                if number is None or line + distance >= len(grid):
                    return False
                if kind != "rest" and len(grid[line]) > _MAX_HEADER:
                    return False
                target = grid[line + distance]
                if kind == "characters":
                    size = len(target[0]) if len(target) == 1 else -1
                    if size > 0 and _INTEGER.fullmatch(target[0]) and not _is_binary(target[0]):
                        numbers_of_digits.add(number)
                else:
                    size = len(target) - (kind == "rest")
                if size != number:
                    return False
                largest, num_places = max(largest, number), num_places + 1
                is_alone = is_alone and len(grid[line]) == 1
        # That a number has as many digits as the one before it may be a coincidence, unless it happens with two sizes.
        if len(numbers_of_digits) == 1:
            return False
        # A 2 before a line of two tokens may be a coincidence, and so may a number among others far from the top.
        if isinstance(name, int) and name > 1 and not is_alone:
            return False
        return largest > 2 or (largest == 2 and (num_places > 1 or is_alone))


def _is_binary(token: str) -> bool:
    """Whether a token is a text of digits, such as `1101`, rather than a number."""
    return set(token) <= {"0", "1"} and len(token) > 1


def _count_at(grid: Grid, line: int, place: int) -> int | None:
    if line >= len(grid) or place >= len(grid[line]):
        return None
    token = grid[line][place]
    return int(token) if _INTEGER.fullmatch(token) and not token.startswith("-") else None


def _hypotheses(grids: Sequence[Grid]) -> Iterator[_Groups]:
    """Layouts in groups, the most specific first."""
    if not all(len(grid) > 1 and 1 <= len(grid[0]) <= _MAX_HEADER for grid in grids) or not grids:
        return
    if all(len(grid[0]) == 1 for grid in grids):
        for size in range(1, _MAX_LINES_PER_ITEM + 1):
            for header in range(_MAX_HEADER):
                yield _Groups(0, size, header)
    for place in range(min(len(grid[0]) for grid in grids)):
        sizes = {divmod(len(grid) - 1, _count_at(grid, 0, place) or len(grid)) for grid in grids}
        if len(sizes) == 1 and (pair := sizes.pop())[1] == 0 and pair[0] > 0:
            yield _Groups(place, pair[0])


def _holds(groups: _Groups, grids: Sequence[Grid]) -> bool:
    """Whether a hypothesis is true of all inputs, and more than a coincidence."""
    found = [groups.split(grid) for grid in grids]
    if any(part is None for part in found):
        return False
    parts = [part for part in found if part is not None]
    if not any(len(part) > 1 for part in parts):
        return False
    if groups.header < 0:
        pairs = zip(grids, parts, strict=True)
        return all(
            _is_alike([grid[start:end] for grid, part in pairs for start, end in part], place)
            for place in range(groups.size)
        )
    sizes = [end - start for part in parts for start, end in part]
    return max(sizes) > 1 + groups.size


def _is_alike(groups: Sequence[Grid], place: int) -> bool:
    """Whether a line of all groups has as many tokens, or as many as announced."""
    lengths = {len(group[place]) for group in groups}
    return len(lengths) == 1 or all(_is_announced(group, place) for group in groups)


def _is_announced(group: Grid, place: int) -> bool:
    length = len(group[place])
    before = [
        _count_at(group, line, token) for line in range(place) for token in range(min(_MAX_HEADER, len(group[line])))
    ]
    return length in before or _count_at(group, place, 0) == length - 1
