"""The three test formats, each split into what goes into the program's process and what stays outside."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .asserts import asks_for_identity, split_assert
from .comparison import compare_stdout, compare_value
from .plain_values import decode


# Parts of a setup that compare, or may hold what is expected.
_MAY_KNOW_ANSWERS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.Assert)
# Takes an input, what came out and what was expected, and says whether that is right.
Checker = Callable[[Any, Any, Any], bool]


@dataclass(frozen=True, slots=True)
class UnitTest:
    """
    One unit test.

    Args:
        probe (`dict`): The part that enters the process of the program: an input, arguments or an expression. An assert that
            cannot be split has no such part.
        check (`Callable[[Any], bool]`): The part that stays outside: takes what came out of the process (printed text, or
            the plain data of each value) and says whether it is right. It holds the expected output.
        statements (`str`): An assert that cannot be split, for a referee.
        inside (`bool`): Whether it asks what only the process of the program can say, such as whether two objects are one.
    """

    probe: dict[str, Any]
    check: Callable[[Any], bool]
    statements: str = ""
    inside: bool = False


@dataclass(frozen=True, slots=True)
class UnitTests:
    """
    The unit tests of one problem.

    Args:
        mode (`str`): `"stdin"` (a process a test, text in, text out) or `"function"` (the program is loaded, then called).
        cases (`tuple[UnitTest, ...]`): The tests; never empty.
        setup (`str`): Code that runs before the asserts. It is empty where it has functions of its own: these may know what
            is expected, so that no process of a program gets them, and a referee decides all asserts.
        referee_setup (`str`): The whole of that code.
    """

    mode: str
    cases: tuple[UnitTest, ...]
    setup: str = ""
    referee_setup: str = ""


def parse_tests(tests: Mapping[str, Any] | str, strict: bool = False, checker: Checker | None = None) -> UnitTests:
    """
    Read unit tests in any of the three formats: `{"inputs": [...], "outputs": [...]}` (printed output), the same with
    `"fn_name"` (returned values), or `{"asserts": [...], "setup": "..."}`.

    Args:
        tests (`Mapping` or `str`): The tests, as a mapping or as JSON text.
        strict (`bool`, *optional*, defaults to `False`): Compare without the tolerance of APPS, see
            [`~comparison.compare_stdout`] and [`~comparison.compare_value`].

    Returns:
        [`UnitTests`]: The tests, split.

    Raises:
        ValueError: If the tests are malformed, empty, or of no known format. The message says what to do.
    """
    if isinstance(tests, str):
        try:
            tests = json.loads(tests)
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"the tests are not valid JSON ({error}). Write them with `json.dumps`, as an object with `inputs` and "
                "`outputs`, or with `asserts`."
            ) from error
    if isinstance(tests, Mapping):
        # Arrow gives every row of a column of mappings all keys of the column.
        tests = {key: value for key, value in tests.items() if value is not None}
    if not isinstance(tests, Mapping):
        raise ValueError(
            f"the tests are a {type(tests).__name__}, but must be an object with `inputs` and `outputs` (and `fn_name` "
            "for call-based tests), or with `asserts`."
        )
    if "asserts" in tests:
        return _assert_tests(tests)
    if "inputs" in tests and "outputs" in tests:
        return _input_output_tests(tests, strict, checker)
    raise ValueError(
        f"the tests are of an unknown format: found the keys {sorted(map(str, tests))}, expected `inputs` and `outputs` "
        "(and `fn_name` for call-based tests), or `asserts`."
    )


def _input_output_tests(tests: Mapping[str, Any], strict: bool, checker: Checker | None) -> UnitTests:
    inputs, outputs, fn_name = tests["inputs"], tests["outputs"], tests.get("fn_name")
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        raise ValueError("`inputs` and `outputs` of the tests must both be lists, one item a test.")
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
    return UnitTests("function", tuple(_call_test(fn_name, *pair, strict, checker) for pair in pairs))


def _text(part: Any, name: str, index: int) -> str:
    # Some APPS files store a text as the list of its lines.
    if isinstance(part, list) and all(isinstance(line, str) for line in part):
        return "\n".join(part)
    if not isinstance(part, str):
        raise ValueError(f"{name} {index} of a stdin test is a {type(part).__name__}, but must be a string.")
    try:
        part.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} {index} of a stdin test is no text that can be written: {error}.") from error
    return part


def _stdin_test(index: int, input_: Any, output: Any, strict: bool, checker: Checker | None) -> UnitTest:
    text, expected = _text(input_, "input", index), _text(output, "output", index)

    def check(printed: str) -> bool:
        return compare_stdout(printed, expected, strict) if checker is None else _ask(checker, text, printed, expected)

    return UnitTest({"stdin": text}, check)


def _call_test(fn_name: str, arguments: list[Any], expected: Any, strict: bool, checker: Checker | None) -> UnitTest:
    def check(values: list[Any]) -> bool:
        value = decode(values[0])
        return compare_value(value, expected, strict) if checker is None else _ask(checker, arguments, value, expected)

    return UnitTest({"call": fn_name, "arguments": arguments}, check)


def _ask(checker: Checker, input_: Any, seen: Any, expected: Any) -> bool:
    try:
        return bool(checker(input_, seen, expected))
    except (Exception, SystemExit) as error:  # it was given what a hostile program sent
        warnings.warn(
            f"The checker raised {type(error).__name__}: {error}. That counts as a wrong answer.", stacklevel=2
        )
        return False


def _assert_tests(tests: Mapping[str, Any]) -> UnitTests:
    asserts, setup = tests["asserts"], tests.get("setup") or ""
    if not isinstance(asserts, list) or not all(isinstance(item, str) for item in asserts):
        raise ValueError("`asserts` of the tests must be a list of strings, one assert statement each.")
    if not asserts:
        raise ValueError("the tests are empty: `asserts` needs at least one statement, or drop the problem.")
    if not isinstance(setup, str):
        raise ValueError(f"`setup` of the tests is a {type(setup).__name__}, but must be a string of Python code.")
    code = _parse_python(setup, "`setup`")
    own_names = {name for node in code for name in _functions_and_modules(node)}
    may_know = any(isinstance(node, _MAY_KNOW_ANSWERS) for part in code for node in ast.walk(part))
    cases = [_assert_test(i, text, own_names, must_judge=may_know) for i, text in enumerate(asserts)]
    if any(case.statements for case in cases):
        # Then all of them, for they are one script: what one leaves in a variable, or in the program, is there for the next.
        # And a value of the setup may be what one of them expects.
        is_inside = any(asks_for_identity(node) for part in code for node in ast.walk(part))
        cases = [_assert_test(i, text, own_names, True, is_inside) for i, text in enumerate(asserts)]
        may_know = True
    return UnitTests("function", tuple(cases), setup="" if may_know else setup, referee_setup=setup)


def _functions_and_modules(node: ast.stmt) -> list[str]:
    """Names that a statement of the setup binds to something that can be asked to compare."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return [alias.asname or alias.name.partition(".")[0] for alias in aliases]
        case ast.Assign(targets=targets, value=value) if any(map(_asks_the_program, ast.walk(value))):
            return [leaf.id for target in targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)]
    return []


def _asks_the_program(node: ast.AST) -> bool:
    """Whether this is a call of a function, whose answer an assert may hand over to be compared; a class makes inputs."""
    return isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id[:1].isupper())


def _parse_python(text: str, name: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{name} of the tests is not valid Python: {error}.") from error


def _assert_test(
    index: int, text: str, own_names: Collection[str], must_judge: bool, is_inside: bool = False
) -> UnitTest:
    statements = _parse_python(text, f"assert {index}")
    for statement in statements:
        if isinstance(statement, ast.Assert) and isinstance(statement.test, ast.Tuple) and statement.test.elts:
            raise ValueError(
                f"assert {index} of the tests ({text[:80]!r}) is always true: it asserts a tuple. Take the parentheses away."
            )
    if len(statements) == 1 and isinstance(statements[0], ast.Assert) and not must_judge:
        split = split_assert(statements[0].test, text, own_names)
        if split is not None:
            expression, check = split
            return UnitTest({"expression": expression}, lambda values: _judge(check, values[0]))
    if not any(map(_can_fail, statements)):
        raise ValueError(
            f"assert {index} of the tests ({text[:80]!r}) checks nothing: write an assert statement, or call a function that "
            "contains one."
        )
    inside = is_inside or any(asks_for_identity(node) for statement in statements for node in ast.walk(statement))
    return UnitTest({"judged": True}, lambda values: values[0] is True, statements=text, inside=inside)


def _can_fail(statement: ast.stmt) -> bool:
    """Whether a statement asserts something or calls something, rather than only naming it."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, (ast.Call, ast.Await))
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)):
        return False
    nodes = list(ast.walk(statement))
    calls = any(isinstance(node, ast.Expr) and isinstance(node.value, (ast.Call, ast.Await)) for node in nodes)
    return calls or any(isinstance(node, (ast.Assert, ast.Raise, ast.With)) for node in nodes)


def _judge(check: Callable[[Any], Any], value: Any) -> bool:
    try:
        return bool(check(decode(value)))
    except (TypeError, ValueError, ArithmeticError, RecursionError):
        # As in Python: `None < 3` raises in the test. The program returned a value of the wrong type: a wrong answer.
        return False
