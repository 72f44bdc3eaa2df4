"""Read rows of LiveCodeBench (Jain et al. 2024), `code_generation_lite`."""

from __future__ import annotations

import base64
import datetime
import pickletools
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from .literals import call, literal
from .options import Options
from .prompts import livecodebench_prompt
from .rows import LeftOut, Row


# Files of each release; a release has the problems of the earlier ones too (code_generation_lite.py on the Hub).
_FILES = ("test.jsonl", "test2.jsonl", "test3.jsonl", "test4.jsonl", "test5.jsonl", "test6.jsonl")
_MAX_BYTES = 2**30  # of the tests of one problem, unpacked
_DOWNLOAD = "Download the file again, or remove the row."
# Operations of a pickle that holds one text and nothing else: none of them can name, build or call an object.
_HARMLESS = frozenset(["PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"])
_TEXT = frozenset(["UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"])
# Imported before each program by the runner of the benchmark (lcb_runner/evaluation/testing_util.py).
_MODULES = (
    "string re datetime collections heapq bisect copy math random statistics itertools functools operator io sys json"
).split()
_IMPORTS = "\n".join(
    [
        *(f"from {name} import *" for name in [*_MODULES, "builtins", "typing"]),
        *(f"import {name}" for name in _MODULES),
    ]
)


def release_files(release: str | None) -> list[str]:
    """
    List the files of a release.

    Args:
        release (`str` or `None`): `"release_v1"` to `"release_v6"`, `"release_latest"` (also `None`), or `"v1"` to `"v6"` for the
            problems that a release added.

    Returns:
        `list[str]`: Names of the files.

    Raises:
        ValueError: If there is no such release.
    """
    count = len(_FILES)
    name = f"release_v{count}" if release in (None, "release_latest") else str(release)
    number = name.removeprefix("release_").removeprefix("v")
    if not number.isdecimal() or not 1 <= int(number) <= count or f"v{int(number)}" not in (name, name[8:]):
        raise ValueError(
            f"`subset` is {release!r}, but must be a release of LiveCodeBench: 'release_v1' to 'release_v{count}', "
            f"'release_latest', or 'v1' to 'v{count}' for the problems that a release added."
        )
    return list(_FILES[: int(number)]) if name.startswith("release_") else [_FILES[int(number) - 1]]


def read_livecodebench(row: Row, options: Options) -> dict[str, Any]:
    """
    Read a row of LiveCodeBench, with its public and private tests.

    The private tests are a pickle of JSON text. The text is read from the pickle without running it.

    Args:
        row ([`~data.rows.Row`]): The columns of `livecodebench/code_generation_lite`.
        options ([`~data.options.Options`]): First and last day of the contests to keep.

    Returns:
        `dict[str, Any]`: One row with the columns of `BENCHMARK_FEATURES`.

    Raises:
        BadRow: If the row is malformed.
        LeftOut: If its contest was before or after the days to keep.
    """
    _check_date(row, options)
    starter_code = row.text("starter_code", "")
    cases = [*_cases(row, "public_test_cases"), *_cases(row, "private_test_cases")]
    metadata = row.parsed("metadata") or {}
    function = metadata.get("func_name") if isinstance(metadata, Mapping) else None
    return row.problem(
        livecodebench_prompt(row.text("question_content"), starter_code=starter_code),
        livecodebench_tests(row, "private_test_cases", cases, function, starter_code),
        tests_column="private_test_cases",
        problem_id=row.text("question_id"),
        difficulty=row.text("difficulty", ""),
        starter_code=starter_code,
    )


def livecodebench_tests(
    row: Row, column: str, cases: Sequence[Mapping[str, Any]], function: str | None, starter_code: str
) -> dict[str, Any]:
    """
    Turn test cases of LiveCodeBench into tests of ours.

    Tests of functions are asserts, with the imports that the benchmark makes before each program.

    Args:
        row ([`~data.rows.Row`]): The row, for messages.
        column (`str`): The column of the tests, for messages.
        cases (`Sequence[Mapping]`): Test cases with `input`, `output` and `testtype`.
        function (`str` or `None`): Name of the function or method under test; not for standard input.
        starter_code (`str`): Code with which the solution has to begin. If it has a class `Solution`, the method of an object
            is called.

    Returns:
        `dict[str, Any]`: Tests in one of the three formats.

    Raises:
        BadRow: If the cases are malformed.
        LeftOut: If there is none.
    """
    if not cases:
        raise LeftOut(row, "without tests")
    inputs, outputs = ([_text(row, column, case, name) for case in cases] for name in ("input", "output"))
    kinds = sorted({str(case.get("testtype")) for case in cases})
    if kinds == ["stdin"]:
        return {"inputs": inputs, "outputs": outputs}
    if kinds != ["functional"]:
        raise row.bad(column, f"the tests are of type {kinds}, but must all be 'stdin' or 'functional'")
    if not isinstance(function, str) or not function.isidentifier():
        raise row.bad("metadata", f"`func_name` is {function!r}, but must be the name of the function under test")
    name = f"Solution().{function}" if "class Solution" in starter_code else function
    asserts = []
    for given, expected in zip(inputs, outputs, strict=True):
        arguments = [row.json(column, line) for line in given.split("\n")]
        value = row.json(column, expected)
        called = call(name, arguments)
        # A tuple counts as the list of its items.
        asserts.append(f"assert {f'list({called})' if isinstance(value, list) else called} == {literal(value)}")
    return {"asserts": asserts, "setup": _IMPORTS}


def _text(row: Row, column: str, case: Any, name: str) -> str:
    text = case.get(name) if isinstance(case, Mapping) else None
    if not isinstance(text, str):
        raise row.bad(column, f"a test case has no text in `{name}`")
    return text


def _check_date(row: Row, options: Options) -> None:
    if options.start_date is None and options.end_date is None:
        return
    date = row.get("contest_date")
    try:
        day = datetime.date.fromisoformat(str(date)[:10])
    except ValueError as error:
        raise row.bad("contest_date", f"it is {date!r}, but must be a date such as '2024-08-01'") from error
    if options.start_date is not None and day < datetime.date.fromisoformat(options.start_date):
        raise LeftOut(row, f"of contests before {options.start_date}")
    if options.end_date is not None and day > datetime.date.fromisoformat(options.end_date):
        raise LeftOut(row, f"of contests after {options.end_date}")


def _cases(row: Row, column: str) -> list[Any]:
    text = row.get(column)
    if isinstance(text, str) and text.strip() and text.lstrip()[0] not in "[{":
        text = unpack(row, column, text)
    cases = (row.json(column, text) if text.strip() else None) if isinstance(text, str) else text
    if not isinstance(cases or [], list):
        raise row.bad(column, f"it holds a {type(cases).__name__}, but must hold a list of test cases")
    return cases or []


def unpack(row: Row, column: str, packed: str) -> str:
    """
    Read the text in a column that is packed as `base64(zlib(pickle(text)))`.

    The pickle is not loaded: a pickle of anything but one text could run code, and is refused.

    Args:
        row ([`~data.rows.Row`]): The row, for messages.
        column (`str`): The column, for messages.
        packed (`str`): Its content.

    Returns:
        `str`: The text.

    Raises:
        BadRow: If the content is damaged, too large, or holds something other than one text.
    """
    try:
        data = _decompress(packed)
        operations = [(operation.name, argument) for operation, argument, _ in pickletools.genops(data)]
    except (ValueError, OverflowError, zlib.error) as error:
        raise row.bad(column, f"it is neither JSON nor packed JSON ({error})", _DOWNLOAD) from error
    refused = next((name for name, _ in operations if name not in _TEXT | _HARMLESS), None)
    if refused is not None:
        raise row.bad(
            column,
            f"its pickle has the operation {refused}, but may hold one text only, since loading any other could run code",
            "Get the file from the source of the benchmark, and do not load this one with `pickle`.",
        )
    texts = [argument for name, argument in operations if name in _TEXT]
    if len(texts) != 1:
        raise row.bad(column, f"its pickle holds {len(texts)} texts, but must hold one", _DOWNLOAD)
    return str(texts[0])


def _decompress(packed: str) -> bytes:
    stream = zlib.decompressobj()
    data = stream.decompress(base64.b64decode(packed, validate=True), _MAX_BYTES)
    if stream.unconsumed_tail:
        raise ValueError(f"unpacked it is larger than {_MAX_BYTES} bytes")
    if not stream.eof:
        raise ValueError("it is cut off")
    return data
