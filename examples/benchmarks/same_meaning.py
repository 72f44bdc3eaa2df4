"""Rewrite a program without a change of its meaning."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator


def rewrite_program(source: str) -> Iterator[str]:
    """
    Rewrite a program in four ways that keep its meaning.

    Local variables get other names; comparisons are turned around; an addition of zero follows each whole number; and loops have a
    statement that does nothing.

    Args:
        source (`str`): The program.

    Yields:
        `str`: The next program; none if it is not valid Python.
    """
    for make in (_Renaming, _TurnedComparisons, _AddedZeros, _AddedStatements):
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            return
        changed = make().visit(tree)
        yield ast.unparse(ast.fix_missing_locations(changed))


class _Renaming(ast.NodeTransformer):
    """Rename the local variables of functions that hold no other scope."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.Global, ast.Nonlocal)
        if any(isinstance(part, scopes) for part in ast.walk(node) if part is not node):
            return node
        stored = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
        arguments = {part.arg for part in ast.walk(node.args) if isinstance(part, ast.arg)}
        renamed = stored - arguments - set(dir(builtins))
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part.id in renamed:
                part.id = f"renamed_{part.id}"
        return node


class _TurnedComparisons(ast.NodeTransformer):
    """Write `b > a` for `a < b`, where neither side has a call."""

    turned = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE, ast.Eq: ast.Eq, ast.NotEq: ast.NotEq}

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        has_call = any(isinstance(part, (ast.Call, ast.Await, ast.NamedExpr)) for part in ast.walk(node))
        if len(node.ops) != 1 or type(node.ops[0]) not in self.turned or has_call:
            return node
        return ast.Compare(node.comparators[0], [self.turned[type(node.ops[0])]()], [node.left])


class _AddedZeros(ast.NodeTransformer):
    """Write `(3 + 0)` for `3`, except in patterns."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if type(node.value) is not int:
            return node
        return ast.BinOp(node, ast.Add(), ast.Constant(0))

    def visit_match_case(self, node: ast.match_case) -> ast.AST:
        node.body = [self.visit(statement) for statement in node.body]
        return node


class _AddedStatements(ast.NodeTransformer):
    """Begin loops with a statement that does nothing."""

    def visit_For(self, node: ast.For) -> ast.AST:
        self.generic_visit(node)
        node.body.insert(0, ast.Pass())
        return node

    def visit_While(self, node: ast.While) -> ast.AST:
        self.generic_visit(node)
        node.body.insert(0, ast.Pass())
        return node
