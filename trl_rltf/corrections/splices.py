"""Join the beginning of one program and the end of another."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..completions.python_text import parse_program
from .variables import bound_names, match_in_order, rename


# Statements that a program has without having decided anything.
_DECLARATIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Pass)


@dataclass(frozen=True, slots=True)
class Beginning:
    """
    A beginning of a program, up to a statement.

    Args:
        text (`str`): Whole lines of the program.
        without_last (`str` or `None`): The same with `pass` for its last statement but declarations, or `if True:` for the
            header of a loop or a branch; `None` if there is no such statement.
    """

    text: str
    without_last: str | None


def beginnings(source: str) -> list[Beginning]:
    """
    List the beginnings of a program that end before a statement, the longest first.

    The end may be within a loop, a branch or a function. The whole program and the empty text are not among them.

    Args:
        source (`str`): A program that compiles.

    Returns:
        `list[Beginning]`: Beginnings; none if the program does not compile.
    """
    tree = parse_program(source)
    if tree is None:
        return []
    lines = source.splitlines(keepends=True)
    statements = _statements_on_own_lines(tree, lines)
    found = []
    for index, (start, _) in enumerate(statements):
        if start == 1:
            continue
        text = "".join(lines[: start - 1])
        decisions = [
            (first, node)
            for first, node in statements[:index]
            if not _is_declaration(node) and _header_end(node) < start
        ]
        without_last = None
        if decisions:
            first, node = decisions[-1]
            kept = [*lines[: first - 1], _nothing_for(node, lines[first - 1]), *lines[_header_end(node) : start - 1]]
            without_last = "".join(kept)
        found.append(Beginning(text, without_last))
    return found[::-1]


def continuations(donor: str, source: str) -> Iterator[str]:
    """
    List the ends of a right program that could continue another program.

    Each starts with a statement, from the first to the last, followed by the empty end. They are listed twice: with the variables
    of the donor, and with those of the other program in the order in which both bind them. Indentation is that of the other
    program; comments and docstrings are left out.

    Args:
        donor (`str`): The right program.
        source (`str`): The program to continue.

    Yields:
        `str`: Whole lines.
    """
    tree, other = parse_program(donor), parse_program(source)
    if tree is None or other is None:
        return
    _drop_docstrings(tree)
    unit = _indent_unit(source)
    new_names = match_in_order(bound_names(tree), bound_names(other))
    texts = [ast.unparse(tree)]
    if new_names:
        texts.append(ast.unparse(rename(tree, new_names)))
    for text in texts:
        lines = _reindent(text, unit).splitlines(keepends=True)
        if lines:
            lines[-1] += "\n"
        written = parse_program("".join(lines))
        starts = [start for start, _ in _statements_on_own_lines(written, lines)] if written else []
        for start in (*starts, len(lines) + 1):
            yield "".join(lines[start - 1 :])


def _statements_on_own_lines(tree: ast.Module, lines: Sequence[str]) -> list[tuple[int, ast.stmt]]:
    """Statements that begin a line, with this line, in order."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            decorators = getattr(node, "decorator_list", [])
            start = min([node.lineno, *(decorator.lineno for decorator in decorators)])
            if decorators or not lines[start - 1].encode()[: node.col_offset].strip():
                found.append((start, node))
    return sorted(found, key=lambda pair: (pair[0], pair[1].col_offset))


def _header_end(node: ast.stmt) -> int:
    """Last line of a simple statement; the line before the body of a compound one."""
    body = getattr(node, "body", None)
    end: int = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno  # type: ignore[assignment]
    return max(end, node.lineno)


def _nothing_for(node: ast.stmt, line: str) -> str:
    """A line that decides nothing in place of a statement; the rest still compiles."""
    indent = line[: len(line) - len(line.lstrip())]
    if not hasattr(node, "body"):
        return f"{indent}pass\n"
    return f"{indent}{'elif' if line.lstrip().startswith('elif') else 'if'} True:\n"


def _is_declaration(node: ast.stmt) -> bool:
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_text or isinstance(node, _DECLARATIONS)


def _drop_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and len(body) > 1 and _is_docstring(body[0]):
            del body[0]


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _indent_unit(source: str) -> str:
    """The first indent of a program."""
    for line in source.splitlines():
        indent = line[: len(line) - len(line.lstrip(" \t"))]
        if indent and line.strip():
            return indent
    return "    "


def _reindent(text: str, unit: str) -> str:
    """Replace the indents of four blanks that `ast.unparse` writes."""

    def new_indent(line: str) -> str:
        depth = (len(line) - len(line.lstrip(" "))) // 4
        return unit * depth + line.lstrip(" ")

    return "\n".join(map(new_indent, textwrap.dedent(text).split("\n")))
