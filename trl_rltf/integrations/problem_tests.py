"""Read the unit tests of a problem in the formats that other frameworks use."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from ..execution import parse_tests
from ..execution.limits import LIMIT_COLUMNS, ProblemLimits, problem_limits
from ..execution.wire.long_integers import dump_json, load_json


_FUNCTION_CALL = ("function_call", "functional")  # open-r1 and PrimeIntellect; LiveCodeBench
_STDIN = ("stdin_stdout", "stdin")
_KNOWN_KEYS = "`inputs` and `outputs`, `asserts`, or `test_cases`"


def check_tests(column: Iterable[Any]) -> None:
    """
    Check the unit tests of all problems before a run.

    Some frameworks catch an error of a reward function and continue, so that malformed tests would be a score of 0.

    Args:
        column (`Iterable`): Unit tests of each problem, in one of the formats that the integrations read.

    Raises:
        ValueError: If tests are malformed. The message names the row.
    """
    for index, entry in enumerate(column):
        read_tests(entry, f"row {index}")


def read_tests(tests: Any, name: str) -> str:
    """
    Read unit tests, and write them in a format of [`~execution.parse_tests`].

    The formats are those of [`~execution.parse_tests`], as a mapping or as JSON text, and:

    - `{"inputs": [...], "outputs": [...], "fn_name": "f"}` with texts, as in LiveCodeBench: each line of an input is an
      argument as JSON text, and each output is a value as JSON text;
    - `{"test_cases": [{"input": ..., "output": ..., "type": "stdin_stdout", "fn_name": None}, ...]}`, as in open-r1, or that
      list alone, as in LiveCodeBench (`"testtype"`) and DeepCoder;
    - text that is not JSON: Python code that raises unless the program is right, as for `code_eval`.

    Args:
        tests (`Any`): The tests. Lists may be NumPy arrays, which is what pandas reads from Parquet.
        name (`str`): Name of the row, for the error message.

    Returns:
        `str`: The tests as JSON text.

    Raises:
        ValueError: If the tests are malformed.
    """
    try:
        return _read_text(tests) if isinstance(tests, str) else _read(_plain(tests))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: {error}") from error


def read_limits(source: Any, name: str) -> ProblemLimits:
    """
    Read the limits of a problem.

    They are `time_limit` (seconds per test) and `memory_limit` (bytes).

    Args:
        source (`Any`): Mapping or object that may have them. Without them, or where they are `None`, the limits of the runner hold.
        name (`str`): Name of the row, for the error message.

    Returns:
        [`~execution.limits.ProblemLimits`]: The limits, as arguments of [`~execution.Program`].

    Raises:
        ValueError: If a limit is not a number above 0.
    """
    found = {}
    for key in LIMIT_COLUMNS:
        value: Any = source.get(key) if isinstance(source, Mapping) else getattr(source, key, None)
        value = value.item() if hasattr(value, "item") else value  # of NumPy, as pandas reads from Parquet
        found[key] = None if value != value else value  # a null in a column of floats
    try:
        return problem_limits(found)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


@functools.lru_cache(maxsize=256)  # the completions of a prompt have equal tests
def _read_text(text: str) -> str:
    if text.lstrip()[:1] in ("{", "["):
        try:
            return _read(load_json(text))
        except RecursionError as error:
            raise ValueError("the tests are nested too deeply.") from error
    return read_code(text)


def read_code(code: str) -> str:
    """
    Write code that raises unless a program is right as tests.

    Args:
        code (`str`): Python code, such as asserts.

    Returns:
        `str`: The tests as JSON text.

    Raises:
        ValueError: If the code is not Python, or is empty.
    """
    tests = dump_json({"asserts": [code]})
    parse_tests(tests)
    return tests


def _read(tests: Any) -> str:
    if isinstance(tests, list):
        tests = _from_cases(tests, None)
    elif isinstance(tests, Mapping):
        language = tests.get("language") or "python"
        if not isinstance(language, str) or not language.lower().startswith("py"):
            raise ValueError(f"the language is {language!r}, but only Python is graded. Drop the problem.")
        if tests.get("test_cases") is not None:
            tests = _from_cases(tests["test_cases"], tests.get("fn_name"))
        else:
            tests = _read_lines(dict(tests))
    else:
        raise ValueError(
            f"the tests are of type {type(tests).__name__}, but must be a mapping with {_KNOWN_KEYS}, or text."
        )
    text = dump_json(tests)
    parse_tests(text)
    return text


def _from_cases(cases: Any, fn_name: Any) -> dict[str, Any]:
    if not isinstance(cases, list) or not cases:
        raise ValueError("`test_cases` must be a list of at least one test with `input` and `output`.")
    names = []
    for index, case in enumerate(cases):
        if not isinstance(case, Mapping) or "input" not in case or "output" not in case:
            found = sorted(map(str, case)) if isinstance(case, Mapping) else type(case).__name__
            raise ValueError(f"test {index} needs `input` and `output`, found {found}.")
        names.append(_function(index, case, fn_name))
    if len(set(names)) > 1:
        raise ValueError(f"the tests call several functions ({sorted(map(str, set(names)))}), but must call the same.")
    tests = {"inputs": [case["input"] for case in cases], "outputs": [case["output"] for case in cases]}
    return tests if names[0] is None else _read_lines({**tests, "fn_name": names[0]})


def _function(index: int, case: Mapping[str, Any], fn_name: Any) -> Any:
    """Name of the function that a test calls, or `None` for a test of printed output."""
    kind = case.get("type") or case.get("testtype")
    name = case.get("fn_name") or (case.get("metadata") or {}).get("func_name") or fn_name
    if kind in _STDIN:
        return None
    if kind not in (None, *_FUNCTION_CALL):
        raise ValueError(
            f"test {index} is of type {kind!r}, but must be of one of {', '.join(map(repr, _STDIN + _FUNCTION_CALL))}."
        )
    if kind is not None and name is None:
        raise ValueError(f"test {index} calls a function, but has no `fn_name`.")
    return name


def _read_lines(tests: dict[str, Any]) -> dict[str, Any]:
    """Read arguments and values of a function that are JSON text."""
    inputs, outputs = tests.get("inputs"), tests.get("outputs")
    if tests.get("fn_name") is None or not isinstance(inputs, list) or not isinstance(outputs, list):
        return tests
    if len(inputs) != len(outputs) or not any(isinstance(entry, str) for entry in inputs):
        return tests
    pairs = [
        ([_json(line, "input", index) for line in entry.split("\n") if line.strip()], _json(output, "output", index))
        if isinstance(entry, str)
        else (entry, output)
        for index, (entry, output) in enumerate(zip(inputs, outputs, strict=True))
    ]
    return {**tests, "inputs": [entry for entry, _ in pairs], "outputs": [output for _, output in pairs]}


def _json(text: Any, part: str, index: int) -> Any:
    if not isinstance(text, str):
        return text
    try:
        return load_json(text)
    except ValueError as error:
        raise ValueError(f"{part} {index} of a call-based test is not JSON ({error}).") from error


def _plain(value: Any) -> Any:
    """Make lists of arrays, which have a method `tolist`."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return _plain(value.tolist()) if hasattr(value, "tolist") else value
