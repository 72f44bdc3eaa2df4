"""Give the variables of a program the names of another program."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping


_BUILTINS = frozenset(dir(builtins))


def bound_names(tree: ast.Module) -> list[str]:
    """
    List the variables of a program in the order of their first binding.

    Functions, classes and imports keep their names, because tests and libraries use them.

    Args:
        tree (`ast.Module`): Syntax tree.

    Returns:
        `list[str]`: Names of parameters and assigned variables.
    """
    positions: dict[str, tuple[int, int]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            name = node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        elif isinstance(node, ast.ExceptHandler) and node.name is not None:
            name = node.name
        else:
            continue
        position = (node.lineno, node.col_offset)
        positions[name] = min(position, positions.get(name, position))
    kept = _BUILTINS | _defined_names(tree)
    return sorted((name for name in positions if name not in kept), key=lambda name: positions[name])


def _defined_names(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
    return names


def match_in_order(names: list[str], target_names: list[str]) -> dict[str, str]:
    """
    Match variables of two programs by the order in which they are bound.

    Args:
        names (`list[str]`): Variables to rename, in order.
        target_names (`list[str]`): Variables of the other program, in order.

    Returns:
        `dict[str, str]`: New name by name, without those that stay. No two variables get one name.
    """
    matched = dict(zip(names, target_names, strict=False))
    taken = set(matched.values())
    for name in names[len(target_names) :]:
        # A variable without a partner gives way if its name now means another one.
        new_name = name
        while new_name in taken:
            new_name += "_"
        taken.add(new_name)
        matched[name] = new_name
    return {name: new_name for name, new_name in matched.items() if name != new_name}


def rename(tree: ast.Module, new_names: Mapping[str, str]) -> ast.Module:
    """
    Rename variables of a program, in place.

    Args:
        tree (`ast.Module`): Syntax tree.
        new_names (`Mapping[str, str]`): New name by name.

    Returns:
        `ast.Module`: The tree.
    """
    functions = _defined_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = new_names.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = new_names.get(node.arg, node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name is not None:
            node.name = new_names.get(node.name, node.name)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            node.names = [new_names.get(name, name) for name in node.names]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
            # The keywords of other functions, such as `key` of `sorted`, are not variables of this program.
            for keyword in node.keywords:
                keyword.arg = new_names.get(keyword.arg, keyword.arg) if keyword.arg else None
    return tree
