"""Make mutants: copies of a program with one small fault each."""

from __future__ import annotations

import ast
import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...execution.wire.long_integers import any_number_of_digits


_COMPARISONS: dict[type[ast.cmpop], list[tuple[str, type[ast.cmpop]]]] = {
    ast.Lt: [("boundary", ast.LtE), ("comparison", ast.GtE)],
    ast.LtE: [("boundary", ast.Lt), ("comparison", ast.Gt)],
    ast.Gt: [("boundary", ast.GtE), ("comparison", ast.LtE)],
    ast.GtE: [("boundary", ast.Gt), ("comparison", ast.Lt)],
    ast.Eq: [("comparison", ast.NotEq)],
    ast.NotEq: [("comparison", ast.Eq)],
    ast.In: [("comparison", ast.NotIn)],
    ast.NotIn: [("comparison", ast.In)],
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_DROPPED = (ast.Assign, ast.AugAssign, ast.Expr, ast.Break, ast.Continue, ast.If)


@dataclass(frozen=True)
class Mutant:
    """
    A copy of a program with one fault.

    Args:
        kind (`str`): `"comparison"`, `"boundary"`, `"arithmetic"`, `"logic"`, `"constant"`, `"off_by_one"`, `"dropped_statement"` or
            `"swapped_arguments"`.
        source (`str`): The program.
    """

    kind: str
    source: str


@dataclass(frozen=True)
class _Edit:
    """Replace one field of a node, or one item of it."""

    kind: str
    node: ast.AST
    field: str
    value: Any
    index: int | None = None


def make_mutants(source: str, num_mutants: int, *, seed: str | int = 0) -> list[Mutant]:
    """
    Make mutants of a program.

    Args:
        source (`str`): The program.
        num_mutants (`int`): Number of mutants at most. The kinds take turns.
        seed (`str` or `int`, *optional*, defaults to `0`): Seed of the choice among the places of a kind.

    Returns:
        `list[Mutant]`: Different programs; none if the program is not valid Python.
    """
    try:
        with any_number_of_digits(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
            edits: dict[str, list[_Edit]] = {}
            for edit in _edits(tree):
                edits.setdefault(edit.kind, []).append(edit)
            rng = random.Random(f"{seed}")
            for found in edits.values():
                rng.shuffle(found)
            seen = {ast.unparse(tree)}
            mutants: list[Mutant] = []
            while len(mutants) < num_mutants and any(edits.values()):
                for kind in sorted(edits):
                    if not edits[kind] or len(mutants) == num_mutants:
                        continue
                    text = _apply(tree, edits[kind].pop())
                    if text not in seen:
                        seen.add(text)
                        mutants.append(Mutant(kind, text))
            return mutants
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _apply(tree: ast.Module, edit: _Edit) -> str:
    """Source of the program with an edit, which is then undone."""
    if edit.index is None:
        before = getattr(edit.node, edit.field)
        setattr(edit.node, edit.field, edit.value)
        text = ast.unparse(tree)
        setattr(edit.node, edit.field, before)
        return text
    items = getattr(edit.node, edit.field)
    before, items[edit.index] = items[edit.index], edit.value
    text = ast.unparse(tree)
    items[edit.index] = before
    return text


def _edits(tree: ast.Module) -> Iterator[_Edit]:
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if isinstance(statements, list):
                for index, statement in enumerate(statements):
                    if isinstance(statement, _DROPPED) and not _is_docstring(statement):
                        yield _Edit("dropped_statement", node, name, ast.Pass(), index)
        match node:
            case ast.Compare(ops=operators):
                for index, operator in enumerate(operators):
                    for kind, other in _COMPARISONS.get(type(operator), ()):
                        yield _Edit(kind, node, "ops", other(), index)
            case ast.BinOp(op=operator) | ast.AugAssign(op=operator):
                if type(operator) in _ARITHMETIC and not _is_text_format(node):
                    yield _Edit("arithmetic", node, "op", _ARITHMETIC[type(operator)]())
            case ast.BoolOp(op=operator):
                yield _Edit("logic", node, "op", ast.Or() if isinstance(operator, ast.And) else ast.And())
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield _Edit("logic", node, "operand", ast.UnaryOp(ast.Not(), operand))
            case ast.UnaryOp(op=ast.USub()):
                yield _Edit("arithmetic", node, "op", ast.UAdd())
            case ast.Constant(value=value) if isinstance(value, bool):
                yield _Edit("constant", node, "value", not value)
            case ast.Constant(value=value) if isinstance(value, (int, float)):
                yield _Edit("constant", node, "value", value + 1)
                yield _Edit("constant", node, "value", value - 1)
            case ast.Call(func=ast.Name(id="range"), args=[*bounds]) if bounds and len(bounds) <= 2:
                yield _Edit("off_by_one", node, "args", _plus(bounds[-1], 1), len(bounds) - 1)
                yield _Edit("off_by_one", node, "args", _plus(bounds[-1], -1), len(bounds) - 1)
            case ast.Call(args=[first, second, *others]) if not isinstance(first, ast.Starred):
                yield _Edit("swapped_arguments", node, "args", [second, first, *others])
            case ast.Slice(lower=lower, upper=upper):
                for name, bound in (("lower", lower), ("upper", upper)):
                    if bound is not None:
                        yield _Edit("off_by_one", node, name, _plus(bound, 1))


def _plus(node: ast.expr, amount: int) -> ast.expr:
    return ast.BinOp(node, ast.Add() if amount > 0 else ast.Sub(), ast.Constant(abs(amount)))


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_text_format(node: ast.BinOp | ast.AugAssign) -> bool:
    """Whether a node is `"%d" % value`, where another operator is only an error."""
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.left, (ast.Constant, ast.JoinedStr))
        and (not isinstance(node.left, ast.Constant) or isinstance(node.left.value, str))
    )
