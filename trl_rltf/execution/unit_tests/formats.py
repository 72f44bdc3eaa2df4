"""Read unit tests in the three formats of APPS, LiveCodeBench and MBPP."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from ..wire.messages import Probe
from ..wire.plain_values import decode, encode, load_json
from .assert_format import assert_tests
from .comparison import compare_stdout, compare_value
from .unit_test import UnitTest, UnitTests


# Takes an input, an answer and the expected output, and returns whether the answer is right.
Checker = Callable[[Any, Any, Any], bool]


def parse_tests(tests: Mapping[str, Any] | str, *, strict: bool = False, checker: Checker | None = None) -> UnitTests:
    """
    Read unit tests in one of the three formats.

    The formats are `{"inputs": [...], "outputs": [...]}` (printed output), the same with `"fn_name"` (returned values), and
    `{"asserts": [...], "setup": "..."}`.

    Args:
        tests (`Mapping` or `str`): The tests, as a mapping or as JSON text.
        strict (`bool`, *optional*, defaults to `False`): Compare without the tolerance of APPS, see
            [`~execution.unit_tests.comparison.compare_stdout`] and [`~execution.unit_tests.comparison.compare_value`].
        checker (`Callable[[Any, Any, Any], bool]`, *optional*): Decides whether an answer is right, instead of a comparison.
            Asserts do not use it.

    Returns:
        [`~execution.unit_tests.unit_test.UnitTests`]: The tests, each in two parts.

    Raises:
        ValueError: If the tests are malformed, empty, or in an unknown format. The message says how to fix them.
    """
    is_json = False
    if isinstance(tests, str):
        try:
            tests = load_json(tests)
        except ValueError as error:
            raise ValueError(
                f"the tests are not valid JSON ({error}). Write them with `json.dumps`, as an object with `inputs` and "
                "`outputs`, or with `asserts`."
            ) from error
        is_json = True
    if isinstance(tests, Mapping):
        # Arrow gives every row of a column of mappings all keys of the column.
        tests = {key: value for key, value in tests.items() if value is not None}
    if not isinstance(tests, Mapping):
        raise ValueError(
            f"the tests are a {type(tests).__name__}, but must be an object with `inputs` and `outputs` (and `fn_name` "
            "for call-based tests), or with `asserts`."
        )
    if "asserts" in tests:
        return assert_tests(tests)
    if "inputs" in tests and "outputs" in tests:
        return _input_output_tests(tests, strict, checker, is_json)
    raise ValueError(
        f"the tests are of an unknown format: found the keys {sorted(map(str, tests))}, expected `inputs` and `outputs` "
        "(and `fn_name` for call-based tests), or `asserts`."
    )


def _input_output_tests(tests: Mapping[str, Any], strict: bool, checker: Checker | None, is_json: bool) -> UnitTests:
    inputs, outputs, fn_name = tests["inputs"], tests["outputs"], tests.get("fn_name")
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        raise ValueError("`inputs` and `outputs` of the tests must both be lists, with one item per test.")
    if len(inputs) != len(outputs):
        raise ValueError(f"the tests have {len(inputs)} `inputs` but {len(outputs)} `outputs`; each test needs both.")
    if not inputs:
        raise ValueError("the tests are empty: give at least one input and output, or drop the problem.")
    pairs = list(zip(inputs, outputs, strict=True))
    if fn_name is None:
        return UnitTests("stdin", tuple(_stdin_test(i, *pair, strict, checker) for i, pair in enumerate(pairs)))
    if not isinstance(fn_name, str) or not fn_name.isidentifier():
        raise ValueError(f"`fn_name` of the tests is {fn_name!r}, but must be the name of a function.")
    for index, arguments in enumerate(inputs):
        if not isinstance(arguments, list):
            raise ValueError(
                f"input {index} of a call-based test is a {type(arguments).__name__}, but must be the list of the arguments."
            )
    if is_json:
        pairs = [(list(map(_with_integer_keys, arguments)), expected) for arguments, expected in pairs]
    cases = tuple(_call_test(fn_name, *pair, strict, checker) for pair in pairs)
    return UnitTests("call", cases, required=((fn_name, "Solution"),))


def _with_integer_keys(argument: Any) -> Any:
    """
    Restore the integer keys of a mapping, which JSON writes as text.

    As in the graders of APPS, all keys of the mapping have to be integers.
    """
    if not isinstance(argument, dict) or not argument:
        return argument
    if not all(key.removeprefix("-").isdecimal() and key.isascii() and str(int(key)) == key for key in argument):
        return argument
    return {int(key): value for key, value in argument.items()}


def _text(part: Any, name: str, index: int) -> str:
    # Some APPS files store a text as a list of lines.
    if isinstance(part, list) and all(isinstance(line, str) for line in part):
        return "\n".join(part)
    if not isinstance(part, str):
        raise ValueError(f"{name} {index} of a stdin test is a {type(part).__name__}, but must be a string.")
    try:
        part.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} {index} of a stdin test cannot be encoded as UTF-8: {error}.") from error
    return part


def _stdin_test(index: int, input_: Any, output: Any, strict: bool, checker: Checker | None) -> UnitTest:
    text, expected = _text(input_, "input", index), _text(output, "output", index)

    def check(printed: str) -> bool:
        return (
            compare_stdout(printed, expected, strict) if checker is None else _call(checker, text, printed, expected)
        )

    return UnitTest({"stdin": text}, check, input=text, expected=expected)


def _call_test(fn_name: str, arguments: list[Any], expected: Any, strict: bool, checker: Checker | None) -> UnitTest:
    def check(values: list[Any]) -> bool:
        value = decode(values[0])
        return (
            compare_value(value, expected, strict) if checker is None else _call(checker, arguments, value, expected)
        )

    probe: Probe = {"call": fn_name, "arguments": encode(arguments)}
    return UnitTest(probe, check, input=arguments, expected=expected)


def _call(checker: Checker, input_: Any, answer: Any, expected: Any) -> bool:
    try:
        return bool(checker(input_, answer, expected))
    except (Exception, SystemExit) as error:  # its answer comes from a hostile program
        warnings.warn(
            f"The checker raised {type(error).__name__}: {error}. That counts as a wrong answer.", stacklevel=2
        )
        return False
