"""The columns that every problem has, and the checks that every loader makes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from datasets import Dataset, Features, Value
from datasets import List as ListOf

from ..execution import parse_tests


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
    problem_id: str,
    where: str,
    solutions: Sequence[str] = (),
    difficulty: str = "",
    starter_code: str = "",
) -> dict[str, Any]:
    """
    Build one row after checking that its tests can be run.

    Args:
        prompt (`str`): What the model is given.
        tests (`Mapping`): Unit tests in one of the three formats.
        problem_id (`str`): Name of the problem.
        where (`str`): File, or dataset and row, that the problem comes from; for the error message.
        solutions (`Sequence[str]`, *optional*): Reference solutions.
        difficulty (`str`, *optional*, defaults to `""`): Level of the problem.
        starter_code (`str`, *optional*, defaults to `""`): Code that the solution has to begin with.

    Returns:
        `dict`: One row with the columns of [`FEATURES`].

    Raises:
        ValueError: If the tests are malformed or empty.
    """
    if (
        not isinstance(solutions, Sequence)
        or isinstance(solutions, str)
        or not all(isinstance(s, str) for s in solutions)
    ):
        raise ValueError(f"{where}: the solutions must be a list of programs, each of them a string.")
    try:
        parse_tests(tests)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return {
        "prompt": prompt,
        "tests": json.dumps(tests),
        "solutions": list(solutions),
        "problem_id": problem_id,
        "difficulty": difficulty,
        "starter_code": starter_code,
    }


def to_dataset(problems: Iterable[dict[str, Any]]) -> Dataset:
    """
    Collect rows into a dataset.

    Args:
        problems (`Iterable[dict]`): Rows from [`make_problem`].

    Returns:
        [`~datasets.Dataset`]: Dataset with the columns of [`FEATURES`].
    """
    return Dataset.from_list(list(problems), features=FEATURES)


def check_difficulties(difficulties: Sequence[str] | None) -> tuple[str, ...]:
    """
    Check a choice of difficulties.

    Args:
        difficulties (`Sequence[str]` or `None`): Wanted levels; `None` for all.

    Returns:
        `tuple[str, ...]`: The levels.

    Raises:
        ValueError: If one of them is unknown.
    """
    if difficulties is None:
        return DIFFICULTIES
    wanted = (difficulties,) if isinstance(difficulties, str) else tuple(difficulties)
    unknown = [level for level in wanted if level not in DIFFICULTIES]
    if unknown or not wanted:
        raise ValueError(f"`difficulties` has {unknown or 'no level'}, but must be among {', '.join(DIFFICULTIES)}.")
    return wanted
