"""Define the columns of problems, and the checks that all loaders share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, Value
from datasets import List as ListOf

from ..execution import parse_tests
from ..execution.wire.plain_values import dump_json, load_json


DIFFICULTIES = ("introductory", "interview", "competition")
FEATURES = Features(
    {
        "prompt": Value("string"),
        "tests": Value("string"),
        "solutions": ListOf(Value("string")),
        "problem_id": Value("string"),
        "difficulty": Value("string"),
        "starter_code": Value("string"),
    }
)


def make_problem(
    prompt: str,
    tests: Mapping[str, Any],
    *,
    problem_id: str,
    where: str,
    solutions: Sequence[str] = (),
    difficulty: str = "",
    starter_code: str = "",
) -> dict[str, Any]:
    """
    Build one row after checking that its tests can be run.

    Args:
        prompt (`str`): Input of the model.
        tests (`Mapping`): Unit tests in one of the three formats.
        problem_id (`str`): Name of the problem.
        where (`str`): File, or dataset and row, of the problem; for the error message.
        solutions (`Sequence[str]`, *optional*): Reference solutions.
        difficulty (`str`, *optional*, defaults to `""`): Level of the problem.
        starter_code (`str`, *optional*, defaults to `""`): Code with which the solution has to begin.

    Returns:
        `dict[str, Any]`: One row with the columns of `FEATURES`.

    Raises:
        ValueError: If the tests are malformed or empty.
    """
    programs = check_solutions(solutions, where)
    try:
        for text in (prompt, *programs, starter_code):
            text.encode()
        parse_tests(tests)
        tests_text = dump_json(tests)
    except UnicodeEncodeError as error:
        raise ValueError(f"{where}: the text contains half a surrogate pair ({error}). Repair it.") from error
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return {
        "prompt": prompt,
        "tests": tests_text,
        "solutions": programs,
        "problem_id": problem_id,
        "difficulty": difficulty,
        "starter_code": starter_code,
    }


def check_solutions(solutions: Any, where: str) -> list[str]:
    """
    Check reference solutions.

    Args:
        solutions (`Any`): Solutions as they are in a file.
        where (`str`): File, or dataset and row, of the solutions; for the error message.

    Returns:
        `list[str]`: The programs.

    Raises:
        ValueError: If the solutions are not a list of strings.
    """
    if not isinstance(solutions, (list, tuple)) or not all(isinstance(solution, str) for solution in solutions):
        raise ValueError(f"{where}: the solutions must be a list of programs, each a string.")
    return list(solutions)


def to_dataset(problems: Iterable[dict[str, Any]]) -> Dataset:
    """
    Collect rows into a dataset.

    Args:
        problems (`Iterable[dict]`): Rows from [`make_problem`].

    Returns:
        [`~datasets.Dataset`]: Dataset with the columns of `FEATURES`.
    """
    return Dataset.from_list(list(problems), features=FEATURES)


def parse_difficulties(difficulties: Sequence[str] | None) -> tuple[str, ...]:
    """
    Parse a choice of difficulties.

    Args:
        difficulties (`Sequence[str]` or `None`): Levels to keep, or one level; `None` keeps all.

    Returns:
        `tuple[str, ...]`: The levels to keep.

    Raises:
        ValueError: If a level is unknown, or there is none.
    """
    if difficulties is None:
        return DIFFICULTIES
    wanted = (difficulties,) if isinstance(difficulties, str) else tuple(difficulties)
    unknown = [level for level in wanted if level not in DIFFICULTIES]
    if unknown or not wanted:
        raise ValueError(f"`difficulties` has {unknown or 'no level'}, but must be among {', '.join(DIFFICULTIES)}.")
    return wanted


def read_text(path: Path) -> str:
    """
    Read a text file of a benchmark.

    Any kind of line end and a byte order mark are accepted.

    Args:
        path (`Path`): The file.

    Returns:
        `str`: Its text.

    Raises:
        ValueError: If it is not UTF-8. The message names the file.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: the file is not UTF-8 ({error.reason} at byte {error.start}). Save it as UTF-8."
        ) from error


def parse_json(text: str, where: str) -> Any:
    """
    Parse JSON of a benchmark, with integers of any length.

    Args:
        text (`str`): JSON text.
        where (`str`): File, or dataset and row, of the text; for the error message.

    Returns:
        `Any`: Its content.

    Raises:
        ValueError: If the text is not JSON, or is nested too deeply.
    """
    try:
        return load_json(text)
    except ValueError as error:
        raise ValueError(f"{where}: not valid JSON ({error}). Restore the file from its archive.") from error


def is_missing(value: Any) -> bool:
    """Whether a field is null, or the NaN that pandas writes for null."""
    return value is None or (isinstance(value, float) and value != value)
