"""The three test formats, each split into what goes into the program's process and what stays outside."""

from __future__ import annotations

import ast
import json
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .comparison import compare_stdout, compare_value
from .plain_values import Opaque, decode


_OPERATORS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_CONSTANT_CALLS: dict[str, Callable[..., Any]] = {
    "set": set,
    "frozenset": frozenset,
    "tuple": tuple,
    "list": list,
    "dict": dict,
    "float": float,
    "int": int,
    "complex": complex,
}
_MISSING = object()


@dataclass(frozen=True, slots=True)
class UnitTest:
    """
    One unit test.

    Args:
        probe (`dict`): The part that enters the process of the program: an input, arguments or an expression.
        check (`Callable[[Any], bool]`): The part that stays outside: takes what came out of the process (printed text, or
            the plain data of each value) and says whether it is right. It holds the expected output.
        guarded (`bool`): Whether the process of the program has a say in the verdict, because the test is an assert that
            cannot be split.
    """

    probe: dict[str, Any]
    check: Callable[[Any], bool]
    guarded: bool = False


@dataclass(frozen=True, slots=True)
class UnitTests:
    """
    The unit tests of one problem.

    Args:
        mode (`str`): `"stdin"` (a process a test, text in, text out) or `"function"` (the program is loaded, then called).
        cases (`tuple[UnitTest, ...]`): The tests; never empty.
        setup (`str`): Code that runs after the program and before the tests; only for asserts.
    """

    mode: str
    cases: tuple[UnitTest, ...]
    setup: str = ""


def parse_tests(tests: Mapping[str, Any] | str, strict: bool = False) -> UnitTests:
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
        return _input_output_tests(tests, strict)
    raise ValueError(
        f"the tests are of an unknown format: found the keys {sorted(map(str, tests))}, expected `inputs` and `outputs` "
        "(and `fn_name` for call-based tests), or `asserts`."
    )


def _input_output_tests(tests: Mapping[str, Any], strict: bool) -> UnitTests:
    inputs, outputs, fn_name = tests["inputs"], tests["outputs"], tests.get("fn_name")
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        raise ValueError("`inputs` and `outputs` of the tests must both be lists, one item a test.")
    if len(inputs) != len(outputs):
        raise ValueError(f"the tests have {len(inputs)} `inputs` but {len(outputs)} `outputs`; each test needs both.")
    if not inputs:
        raise ValueError("the tests are empty: give at least one input and output, or drop the problem.")
    pairs = list(zip(inputs, outputs, strict=True))
    if fn_name is None:
        return UnitTests("stdin", tuple(_stdin_test(i, *pair, strict) for i, pair in enumerate(pairs)))
    if not isinstance(fn_name, str) or not fn_name.isidentifier():
        raise ValueError(f"`fn_name` of the tests is {fn_name!r}, but must be the name of a function.")
    for index, arguments in enumerate(inputs):
        if not isinstance(arguments, list):
            raise ValueError(
                f"input {index} of a call-based test is a {type(arguments).__name__}, but must be the list of the arguments."
            )
    return UnitTests("function", tuple(_call_test(fn_name, *pair, strict) for pair in pairs))


def _text(part: Any, name: str, index: int) -> str:
    # Some APPS files store a text as the list of its lines.
    if isinstance(part, list) and all(isinstance(line, str) for line in part):
        return "\n".join(part)
    if not isinstance(part, str):
        raise ValueError(f"{name} {index} of a stdin test is a {type(part).__name__}, but must be a string.")
    return part


def _stdin_test(index: int, input_: Any, output: Any, strict: bool) -> UnitTest:
    expected = _text(output, "output", index)
    return UnitTest(
        probe={"stdin": _text(input_, "input", index)},
        check=lambda printed: compare_stdout(printed, expected, strict),
    )


def _call_test(fn_name: str, arguments: list[Any], expected: Any, strict: bool) -> UnitTest:
    return UnitTest(
        probe={"call": fn_name, "arguments": arguments},
        check=lambda values: compare_value(decode(values[0]), expected, strict),
    )


def _assert_tests(tests: Mapping[str, Any]) -> UnitTests:
    asserts, setup = tests["asserts"], tests.get("setup") or ""
    if not isinstance(asserts, list) or not all(isinstance(item, str) for item in asserts):
        raise ValueError("`asserts` of the tests must be a list of strings, one assert statement each.")
    if not asserts:
        raise ValueError("the tests are empty: `asserts` needs at least one statement, or drop the problem.")
    if not isinstance(setup, str):
        raise ValueError(f"`setup` of the tests is a {type(setup).__name__}, but must be a string of Python code.")
    _parse_python(setup, "`setup`")
    return UnitTests("function", tuple(_assert_test(i, text) for i, text in enumerate(asserts)), setup)


def _parse_python(text: str, name: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{name} of the tests is not valid Python: {error}.") from error


def _assert_test(index: int, text: str) -> UnitTest:
    statements = _parse_python(text, f"assert {index}")
    for statement in statements:
        if isinstance(statement, ast.Assert) and isinstance(statement.test, ast.Tuple) and statement.test.elts:
            raise ValueError(
                f"assert {index} of the tests ({text[:80]!r}) is always true: it asserts a tuple. Take the parentheses away."
            )
    if len(statements) == 1 and isinstance(statements[0], ast.Assert):
        split = _split(statements[0].test)
        if split is not None:
            expressions, check, guarded = split
            return UnitTest({"expressions": expressions}, lambda values: _judge(check, values), guarded)
    if not any(map(_can_fail, statements)):
        raise ValueError(
            f"assert {index} of the tests ({text[:80]!r}) checks nothing: write an assert statement, or call a function that "
            "contains one."
        )
    return UnitTest(probe={"statements": text}, check=lambda values: values == [True], guarded=True)


def _can_fail(statement: ast.stmt) -> bool:
    """Whether a statement asserts something or calls something, rather than only naming it."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, (ast.Call, ast.Await))
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)):
        return False
    return any(isinstance(node, ast.Assert) for node in ast.walk(statement))


def _judge(check: Callable[..., Any], values: list[Any]) -> bool:
    try:
        return bool(check(*map(decode, values)))
    except (TypeError, ValueError, ArithmeticError, RecursionError):
        # As in Python: `None < 3` raises in the test. The program returned a value of the wrong type: a wrong answer.
        return False


# The expressions to evaluate inside, the function that decides outside, and whether the program has a say in it.
_Split = tuple[list[str], Callable[..., Any], bool]


def _split(test: ast.expr) -> _Split | None:
    """Split an asserted expression into the expressions to evaluate inside and the function that decides outside."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _split(test.operand)
        if inner is None:
            return None
        expressions, check, guarded = inner
        return expressions, lambda *values: not check(*values), guarded
    if isinstance(test, ast.Compare):
        return _split_distance(test) or _split_comparison(test)
    if isinstance(test, ast.Call):
        # The truth of any object is its own affair: what asks for it can be bought anyway, by returning True.
        return _split_isclose(test) or ([f"not not ({ast.unparse(test)})"], bool, _is_computed_inside(test))
    return None


def _split_comparison(test: ast.Compare) -> _Split | None:
    operands = [test.left, *test.comparators]
    constants = [_constant(operand) for operand in operands]
    inside = [ast.unparse(node) for node, value in zip(operands, constants, strict=True) if value is _MISSING]
    # With one computed operand, evaluating it first changes nothing; with more, chains may stop early.
    if not inside or (len(inside) > 1 and len(test.ops) > 1):
        return None
    identity = any(isinstance(op, (ast.Is, ast.IsNot)) for op in test.ops)
    if identity and not all(value is _MISSING or value is None or isinstance(value, bool) for value in constants):
        return None
    compare = [_OPERATORS[type(op)] for op in test.ops]

    def check(*values: Any) -> bool:
        remaining = iter(values)
        row = [next(remaining) if value is _MISSING else value for value in constants]
        return all(op(left, right) for op, left, right in zip(compare, row[:-1], row[1:], strict=True))

    if len(inside) == 1:
        return inside, check, any(map(_is_computed_inside, operands))

    def check_both(*values: Any) -> bool:
        *sides, verdict_inside = values
        # What is no plain data (a date, a deque) can be compared only where it lives.
        return bool(verdict_inside) if any(isinstance(side, Opaque) for side in sides) else check(*sides)

    return [*inside, f"not not ({ast.unparse(test)})"], check_both, True


def _is_computed_inside(operand: ast.expr) -> bool:
    """
    Whether more than calls happens inside: arithmetic, comparisons or methods of what the program returned, all of which its
    classes can overload to give whatever the assert wants.
    """
    if _constant(operand) is not _MISSING:
        return False
    computed = (
        ast.BinOp,
        ast.Compare,
        ast.BoolOp,
        ast.IfExp,
        ast.GeneratorExp,
        ast.ListComp,
        ast.SetComp,
        ast.DictComp,
    )
    if isinstance(operand, computed):
        return True
    if isinstance(operand, ast.Attribute) and any(isinstance(node, ast.Call) for node in ast.walk(operand.value)):
        return True
    return any(_is_computed_inside(child) for child in ast.iter_child_nodes(operand) if isinstance(child, ast.expr))


def _split_distance(test: ast.Compare) -> _Split | None:
    """`abs(f(x) - 1.5) < 1e-6`: the subtraction has to happen outside too, or the expected value would go inside."""
    if len(test.ops) != 1 or not isinstance(test.ops[0], (ast.Lt, ast.LtE)):
        return None
    limit = _constant(test.comparators[0])
    match test.left:
        case ast.Call(func=ast.Name(id="abs"), args=[ast.BinOp(left=left, op=ast.Sub(), right=right)], keywords=[]):
            pass
        case _:
            return None
    constants = [_constant(left), _constant(right)]
    if limit is _MISSING or sum(value is _MISSING for value in constants) != 1:
        return None
    expected = constants[0] if constants[1] is _MISSING else constants[1]
    computed = right if constants[1] is _MISSING else left
    compare = _OPERATORS[type(test.ops[0])]
    return [ast.unparse(computed)], lambda value: compare(abs(value - expected), limit), False


def _split_isclose(test: ast.Call) -> _Split | None:
    """`math.isclose(f(x), 1.5, rel_tol=1e-3)`, for the same reason."""
    match test:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="math"), attr="isclose"), args=[left, right]):
            pass
        case ast.Call(func=ast.Name(id="isclose"), args=[left, right]):
            pass
        case _:
            return None
    options = {str(keyword.arg): _constant(keyword.value) for keyword in test.keywords}
    if not set(options) <= {"rel_tol", "abs_tol"} or _MISSING in options.values():
        return None
    constants = [_constant(left), _constant(right)]
    if sum(value is _MISSING for value in constants) != 1:
        return None
    expected = constants[0] if constants[1] is _MISSING else constants[1]
    computed = right if constants[1] is _MISSING else left
    return [ast.unparse(computed)], lambda value: math.isclose(value, expected, **options), False


def _constant(node: ast.expr) -> Any:
    """The value of an expression that needs no program to compute, or `_MISSING`."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        pass
    try:
        match node:
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _CONSTANT_CALLS:
                values = [_constant(argument) for argument in args]
                return _MISSING if _MISSING in values else _CONSTANT_CALLS[name](*values)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                pair = _constant(left), _constant(right)
                if all(isinstance(value, (int, float)) for value in pair):
                    return _ARITHMETIC[type(op)](*pair)
    except (ValueError, TypeError, ArithmeticError):
        pass
    return _MISSING


__all__ = ["Opaque", "UnitTest", "UnitTests", "parse_tests"]
