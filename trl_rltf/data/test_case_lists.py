"""Read rows with lists of test cases: open-r1, DeepCoder, and other datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .limits_parsing import parse_bytes, parse_seconds
from .livecodebench import livecodebench_tests
from .options import Options
from .prompts import livecodebench_prompt
from .rows import BadRow, LeftOut, Row
from .test_sources import SOURCES_COLUMN


def read_open_r1(row: Row, options: Options) -> dict[str, Any]:
    """
    Read a row of `open-r1/verifiable-coding-problems-python`.

    The prompt is its statement, which says how to answer.

    Args:
        row ([`~data.rows.Row`]): Columns `problem_statement`, `verification_info`, `gold_standard_solution`, `problem_id` and
            `metadata`.
        options ([`~data.options.Options`]): Not used.

    Returns:
        `dict[str, Any]`: One row with the columns of `BENCHMARK_FEATURES`.

    Raises:
        BadRow: If the row is malformed.
        LeftOut: If the problem has no tests or is not one for Python.
    """
    info, metadata = row.parsed("verification_info"), row.parsed("metadata") or {}
    if not isinstance(info, Mapping) or not isinstance(metadata, Mapping):
        column = "metadata" if isinstance(info, Mapping) else "verification_info"
        raise row.bad(column, "it must hold an object with named fields")
    if info.get("language", "python") not in ("python", None):
        raise LeftOut(row, "for languages other than Python")
    cases = info.get("test_cases")
    if isinstance(cases, str):
        cases = row.json("verification_info", cases)
    limits = [metadata.get(name) for name in ("memory_limit_bytes", "memory_limit")]
    return row.problem(
        row.text("problem_statement"),
        tests_of_cases(row, "verification_info", cases or []),
        tests_column="verification_info",
        problem_id=str(row.require("problem_id")),
        solutions=[_program(text) for text in row.texts("gold_standard_solution")],
        difficulty=str(metadata.get("difficulty") or ""),
        time_limit=parse_seconds(metadata.get("time_limit")),
        memory_limit=next(filter(None, map(parse_bytes, limits)), None),
    )


def read_deepcoder(row: Row, options: Options) -> dict[str, Any]:
    """
    Read a row of `agentica-org/DeepCoder-Preview-Dataset`.

    The prompt is that of LiveCodeBench, which its authors trained with.

    Args:
        row ([`~data.rows.Row`]): Columns `problem`, `tests`, `solutions`, `starter_code` and `metadata`; a subset has some of them.
        options ([`~data.options.Options`]): Not used.

    Returns:
        `dict[str, Any]`: One row with the columns of `BENCHMARK_FEATURES`. Rows have no name, so `problem_id` is the
        position of the row in its split.

    Raises:
        BadRow: If the row is malformed.
        LeftOut: If the problem has no tests.
    """
    tests, starter_code = row.parsed("tests"), row.text("starter_code", "")
    if isinstance(tests, list) and tests and all(isinstance(case, Mapping) and "testtype" in case for case in tests):
        tests = livecodebench_tests(row, "tests", tests, _function_name(row, tests[0]), starter_code)
    elif not isinstance(tests, Mapping):
        tests = tests_of_cases(row, "tests", tests or [])
    elif not tests.get("inputs"):
        raise LeftOut(row, "without tests")
    return row.problem(
        livecodebench_prompt(row.text("problem"), starter_code=starter_code),
        tests,
        tests_column="tests",
        problem_id=str(row.number),
        solutions=[_program(text) for text in row.texts("solutions")],
        starter_code=starter_code,
    )


def _function_name(row: Row, case: Mapping[str, Any]) -> Any:
    """Name of the function under test: of the test case, or of the row."""
    places = [case.get("metadata"), row.parsed("metadata")]
    return next(
        (place["func_name"] for place in places if isinstance(place, Mapping) and place.get("func_name")), None
    )


def read_columns(row: Row, options: Options) -> dict[str, Any]:
    """
    Read a row of any dataset by the names of its columns.

    Args:
        row ([`~data.rows.Row`]): The row.
        options ([`~data.options.Options`]): Names of the columns.

    Returns:
        `dict[str, Any]`: One row with the columns of `BENCHMARK_FEATURES`, and `test_sources` if the row has it.

    Raises:
        BadRow: If the row is malformed.
        LeftOut: If the problem has no tests.
    """
    problem = _read_columns(row, options)
    sources = row.get(SOURCES_COLUMN)
    if sources is None:
        return problem
    if not isinstance(sources, list) or not all(isinstance(name, str) for name in sources):
        raise row.bad(SOURCES_COLUMN, "it must be a list with the source of each test")
    return {**problem, SOURCES_COLUMN: sources}


def _read_columns(row: Row, options: Options) -> dict[str, Any]:
    names = options.columns
    tests = row.parsed(names.tests)
    if names.tests not in row.content:
        row.require(names.tests, _advice("tests"))
    if tests is None:
        raise LeftOut(row, "without tests")
    if isinstance(tests, list):
        is_asserts = bool(tests) and all(isinstance(item, str) for item in tests)
        tests = {"asserts": tests} if is_asserts else tests_of_cases(row, names.tests, tests)
    if not isinstance(tests, Mapping):
        raise row.bad(names.tests, f"it holds a {type(tests).__name__}, but must hold an object or a list of tests")
    problem_id = row.get(names.problem_id)
    return row.problem(
        _prompt(row, names.prompt, _advice("prompt")),
        {name: value for name, value in tests.items() if value is not None},
        tests_column=names.tests,
        problem_id=str(row.number) if problem_id is None else str(problem_id),
        solutions=row.texts(names.solutions),
        difficulty=str(row.get(names.difficulty) or ""),
        starter_code=row.text(names.starter_code, ""),
        time_limit=parse_seconds(row.get(names.time_limit)),
        memory_limit=parse_bytes(row.get(names.memory_limit)),
    )


def _advice(name: str) -> str:
    """How to name a column that the dataset has under another name."""
    return (
        f"Name the column that holds it: `--{name}_column NAME` of `trl-rltf train` and `evaluate`, `--columns {name}=NAME` of the "
        f"other commands, `Columns({name}=...)` in Python. Or remove the row."
    )


def _prompt(row: Row, column: str, *advice: str) -> str:
    value = row.require(column, *advice)
    if isinstance(value, list) and value and isinstance(value[-1], Mapping):
        value = value[-1].get("content")
    if not isinstance(value, str):
        raise row.bad(column, f"it holds a {type(value).__name__}, but must hold a text or chat messages")
    return value


def tests_of_cases(row: Row, column: str, cases: Any) -> dict[str, Any]:
    """
    Turn a list of test cases into tests in one of the three formats.

    Args:
        row ([`~data.rows.Row`]): The row, for messages.
        column (`str`): The column of the tests, for messages.
        cases (`Any`): Test cases with `input` and `output`. A test of a function has its name in `fn_name`; its input is the list
            of the arguments, or JSON text with that list or with one argument per line, and its output a value or JSON text.

    Returns:
        `dict[str, Any]`: The tests.

    Raises:
        BadRow: If the test cases are malformed.
        LeftOut: If there is none.
    """
    if not isinstance(cases, list) or not all(isinstance(case, Mapping) for case in cases):
        raise row.bad(column, "it must hold a list of test cases, each with `input` and `output`")
    if not cases:
        raise LeftOut(row, "without tests")
    if any(case.get("input") is None or case.get("output") is None for case in cases):
        raise row.bad(column, "a test case lacks `input` or `output`")
    function = cases[0].get("fn_name") or None
    other = next((name for case in cases if (name := case.get("fn_name") or None) != function), function)
    if other != function:
        raise row.bad(column, f"the test cases name different functions ({function!r} and {other!r})")
    inputs, outputs = ([case[name] for case in cases] for name in ("input", "output"))
    if function is None:
        return {"inputs": inputs, "outputs": outputs}
    return {
        "fn_name": function,
        "inputs": [_arguments(row, column, given) for given in inputs],
        "outputs": [row.json(column, value) if isinstance(value, str) else value for value in outputs],
    }


def _arguments(row: Row, column: str, given: Any) -> Any:
    if not isinstance(given, str):
        return given
    try:
        values = row.json(column, given)
    except BadRow:
        values = [row.json(column, line) for line in given.strip("\n").split("\n")]
    return values if isinstance(values, list) else [values]


def _program(text: str) -> str:
    """A program without the fence that some solutions are in."""
    lines: Sequence[str] = text.strip().split("\n")
    is_fenced = len(lines) > 2 and lines[0].startswith("```") and lines[-1].strip() == "```"
    return "\n".join(lines[1:-1]) + "\n" if is_fenced else text
