"""Read rows of CodeContests (Li et al. 2022) and TACO (Li et al. 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .limits_parsing import parse_bytes, parse_seconds
from .options import Options
from .prompts import apps_prompt
from .rows import LeftOut, Row


# Numbers of the enumerations in contest_problem.proto of CodeContests.
_DIFFICULTIES = dict(enumerate(["", "easy", "medium", "hard", "harder", "hardest", "external"])) | {
    **{7 + index: letter for index, letter in enumerate("ABCDEFGHIJK")},
    **{19 + index: letter for index, letter in enumerate("LMNOPQRSTUV")},
}
_PYTHON3 = (3, "PYTHON3")
_TESTS = ("public_tests", "private_tests", "generated_tests")


def read_code_contests(row: Row, options: Options) -> dict[str, Any]:
    """
    Read a row of CodeContests.

    All its tests are kept, public, private and generated, and its solutions in Python 3. The dataset has no prompt; the one of
    APPS is used.

    Args:
        row ([`~data.rows.Row`]): The columns of `deepmind/code_contests`.
        options ([`~data.options.Options`]): Not used.

    Returns:
        `dict[str, Any]`: One row with the columns of `BENCHMARK_FEATURES`.

    Raises:
        BadRow: If the row is malformed.
        LeftOut: If the problem reads or writes files, or has no tests.
    """
    if row.text("input_file", "") or row.text("output_file", ""):
        raise LeftOut(row, "that read or write files instead of standard input and output")
    tests: dict[str, list[Any]] = {"inputs": [], "outputs": []}
    for column in _TESTS:
        given, expected = _lists(row, column, "input", "output")
        tests["inputs"] += given
        tests["outputs"] += expected
    if not tests["inputs"]:
        raise LeftOut(row, "without tests")
    languages, programs = _lists(row, "solutions", "language", "solution")
    difficulty = row.get("difficulty")
    return row.problem(
        apps_prompt(row.text("description")),
        tests,
        tests_column="public_tests",
        problem_id=row.text("name"),
        solutions=[program for language, program in zip(languages, programs, strict=True) if language in _PYTHON3],
        difficulty=_DIFFICULTIES.get(difficulty, "") if isinstance(difficulty, int) else str(difficulty or "").lower(),
        time_limit=parse_seconds(row.get("time_limit")),
        memory_limit=parse_bytes(row.get("memory_limit_bytes")),
    )


def _lists(row: Row, column: str, first: str, second: str) -> tuple[list[Any], list[Any]]:
    """
    Two lists of equal length in a column.

    JSON Lines files may have a list of mappings instead.
    """
    value = row.parsed(column) or {}
    if isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
        return [item.get(first) for item in value], [item.get(second) for item in value]
    lists = [value.get(name) or [] for name in (first, second)] if isinstance(value, Mapping) else []
    if not lists or not all(isinstance(items, list) for items in lists) or len(lists[0]) != len(lists[1]):
        raise row.bad(column, f"it must have the lists `{first}` and `{second}`, of equal length")
    return lists[0], lists[1]


def read_taco(row: Row, options: Options) -> dict[str, Any]:
    """
    Read a row of TACO.

    Args:
        row ([`~data.rows.Row`]): The columns of `BAAI/TACO`.
        options ([`~data.options.Options`]): Not used.

    Returns:
        `dict[str, Any]`: One row with the columns of `BENCHMARK_FEATURES`. Rows have no name, so `problem_id` is the
        position of the row in its split.

    Raises:
        BadRow: If the row is malformed.
        LeftOut: If the problem has no tests.
    """
    tests = row.parsed("input_output")
    if not tests or (isinstance(tests, Mapping) and not tests.get("inputs")):
        raise LeftOut(row, "without tests")
    if not isinstance(tests, Mapping):
        raise row.bad("input_output", "it must hold an object with `inputs` and `outputs`")
    starter_code = row.text("starter_code", "")
    # As in the code of TACO: no line break before the starter code, which makes a problem call-based.
    prompt = apps_prompt(
        row.text("question") + starter_code, call_based=bool(starter_code or tests.get("fn_name") is not None)
    )
    return row.problem(
        prompt,
        tests,
        tests_column="input_output",
        problem_id=str(row.number),
        solutions=row.texts("solutions"),
        difficulty=row.text("difficulty", "").lower().removeprefix("unknown_difficulty"),
        starter_code=starter_code,
        time_limit=parse_seconds(row.get("time_limit")),
        memory_limit=parse_bytes(row.get("memory_limit")),
    )
