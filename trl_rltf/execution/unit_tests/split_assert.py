"""Split asserts: the process of the program computes, and the caller compares."""

from __future__ import annotations

import ast
import contextlib
import math
import operator
import sys
from collections.abc import Callable, Collection
from typing import Any

from .script_names import is_class_name, nodes_in


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
# Built-in functions of one argument that compare nothing.
_READERS = frozenset(
    "sorted list tuple set frozenset dict str repr len sum max min any all bool int float abs".split()
)


# The expression to evaluate inside, and the function that decides outside.
_Split = tuple[ast.expr, Callable[[Any], Any]]


def split_assert(test: ast.expr, source: str, own_names: Collection[str]) -> tuple[str, Callable[[Any], Any]] | None:
    """
    Split an asserted expression into an expression to evaluate and a check.

    `assert f(2) == 4` becomes the expression `f(2)` and the check `lambda value: value == 4`.

    Args:
        test (`ast.expr`): The expression after `assert`.
        source (`str`): The text of the assert.
        own_names (`Collection[str]`): Functions of the tests themselves, which may hold expected values.

    Returns:
        `tuple[str, Callable]` or `None`: The expression, and the function that decides whether its value is right. `None` if
        the expression could show the expected value to the program, or if the program could change the comparison;
        such a test runs in a referee.
    """
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = split_assert(test.operand, source, own_names)
        if inner is None:
            return None
        expression, check = inner
        return expression, lambda value: not check(value)
    split: _Split | None = None
    if isinstance(test, ast.Compare):
        split = _split_distance(test) or _split_comparison(test)
    elif isinstance(test, ast.Call):
        split = _split_isclose(test)
        if split is None and _is_plain_call(test, own_names):
            # An object may define its truth value, but a program could return `True` as well.
            return f"not not ({_text(test, source)})", bool
    if split is None or not _is_plain_call(split[0], own_names):
        return None
    return _text(split[0], source), split[1]


def _text(node: ast.expr, source: str) -> str:
    if node.lineno == node.end_lineno == 1 and source.isascii():
        return source[node.col_offset : node.end_col_offset]
    return ast.unparse(node)


def _is_plain_call(node: ast.expr, own_names: Collection[str]) -> bool:
    """Whether an expression calls the program and uses constants only as inputs."""
    match node:
        case ast.Name(id=name):
            return name not in own_names
        case ast.Attribute(value=value):
            return _is_plain_call(value, own_names)
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _READERS and _has_call(
            argument
        ):
            return _is_plain_call(argument, own_names)  # `sorted(f(2))`
        case ast.Call(func=ast.Name(id=name)):
            # Objects are compared by methods of their class, which a referee can call.
            is_class = is_class_name(name)
            return (
                name not in own_names
                and not is_class
                and not _hands_over_an_answer(node)
                and not _uses(node, own_names)
            )
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name))):
            # Not `math.fabs(f(2) - 4)`, and no function of another module.
            return (
                name not in sys.stdlib_module_names and not _hands_over_an_answer(node) and not _uses(node, own_names)
            )
        case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id=name)) as maker)):
            # A method of a new object gets inputs. A method of a returned object may get the expected value.
            is_input = is_class_name(name) or not (node.args or node.keywords)
            return (
                is_input
                and not any(map(_hands_over_an_answer, (node, maker)))
                and name not in own_names
                and not _uses(node, own_names)
            )
    return False


def _hands_over_an_answer(call: ast.Call) -> bool:
    """Whether a call gets an answer, which it may compare with another argument."""
    return any(map(_has_call, [*call.args, *(keyword.value for keyword in call.keywords)]))


def _has_call(node: ast.expr) -> bool:
    return any(isinstance(child, ast.Call) for child in nodes_in(node))


def _uses(node: ast.expr, names: Collection[str]) -> bool:
    return bool(names) and any(isinstance(child, ast.Name) and child.id in names for child in nodes_in(node))


def _split_comparison(test: ast.Compare) -> _Split | None:
    operands = [test.left, *test.comparators]
    constants = [_constant(operand) for operand in operands]
    inside = [node for node, value in zip(operands, constants, strict=True) if value is _MISSING]
    if len(inside) != 1:
        return None
    identity = any(isinstance(op, (ast.Is, ast.IsNot)) for op in test.ops)
    if identity and not all(value is _MISSING or value is None or isinstance(value, bool) for value in constants):
        return None
    compare = [_OPERATORS[type(op)] for op in test.ops]

    def check(computed: Any) -> bool:
        left, *others = [computed if value is _MISSING else value for value in constants]
        for operator_, right in zip(compare, others, strict=True):
            if not operator_(left, right):
                return False
            left = right
        return True

    return inside[0], check


def _split_distance(test: ast.Compare) -> _Split | None:
    """
    Split `abs(f(x) - 1.5) < 1e-6`.

    The subtraction happens outside too, or the expected value would enter the process of the program.
    """
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
    return computed, lambda value: compare(abs(value - expected), limit)


def _split_isclose(test: ast.Call) -> _Split | None:
    """Split `math.isclose(f(x), 1.5, rel_tol=1e-3)`, as a distance is split."""
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
    return computed, lambda value: math.isclose(value, expected, **options)


def _constant(node: ast.expr) -> Any:
    """Value of a constant expression, or `_MISSING` if the expression is not constant."""
    if not isinstance(node, ast.Call):
        with contextlib.suppress(ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return ast.literal_eval(node)
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
