"""Read the columns that unit tests need: the tests, and limits of a problem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..execution import Program, parse_tests
from ..execution.limits import LIMIT_COLUMNS, problem_limits


NO_TESTS = (
    "The dataset has no column `tests`. Unit tests go there as JSON text, for example "
    '`{"inputs": ["1 2\\n"], "outputs": ["3\\n"]}`; the loaders of `trl_rltf.data` make it.'
)


def check_columns(tests: Iterable[Any], columns: Mapping[str, Any], where: str) -> None:
    """
    Check the tests and the limits of all rows.

    Args:
        tests (`Iterable`): Column of unit tests.
        columns (`Mapping[str, Sequence]`): Other columns, of which `time_limit`, `memory_limit` and `problem_id` are read.
        where (`str`): Description of a row, with `{}` for its number.

    Raises:
        ValueError: If an entry is malformed. The message names the row, the problem and the column.
    """
    problem_ids = columns.get("problem_id")

    def name(index: int) -> str:
        return where.format(index) + ("" if problem_ids is None else f" (problem {problem_ids[index]!r})")

    checked = set()
    for index, entry in enumerate(tests):
        if isinstance(entry, str) and entry in checked:  # the completions of a group have equal tests
            continue
        try:
            parse_tests(entry)
        except ValueError as error:
            raise ValueError(f"{name(index)}, column `tests`: {error}") from error
        if isinstance(entry, str):
            checked.add(entry)
    for index, limits in enumerate(_rows(columns)):
        try:
            problem_limits(limits)
        except ValueError as error:
            raise ValueError(f"{name(index)}: {error}") from error


def make_programs(sources: Sequence[str], tests: Sequence[Any], columns: Mapping[str, Any]) -> list[Program]:
    """
    Join programs with their tests and limits.

    Args:
        sources (`Sequence[str]`): Source of each program.
        tests (`Sequence`): Its tests.
        columns (`Mapping[str, Sequence]`): Other columns, of which `time_limit` and `memory_limit` are read.

    Returns:
        `list[Program]`: The programs.
    """
    limits = [problem_limits(row) for row in _rows(columns)] or [problem_limits({})] * len(sources)
    return [Program(source, entry, **row) for source, entry, row in zip(sources, tests, limits, strict=True)]


def _rows(columns: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Limits of each row; nothing without such columns."""
    names = [name for name in LIMIT_COLUMNS if columns.get(name) is not None]
    if names:
        for values in zip(*(columns[name] for name in names), strict=True):
            yield dict(zip(names, values, strict=True))
