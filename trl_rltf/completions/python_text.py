"""Parse untrusted text as Python, and find the names it defines and needs."""

from __future__ import annotations

import ast
import builtins
import importlib
import re
import symtable
import threading
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeGuard


_MAX_CHARACTERS = 100_000  # per parse
_MAX_DEPTH = 400  # in operators; the stack of an ordinary thread suffices for ten times as many
_BRACKET_DEPTH = 4  # in operators: a bracket takes as much stack as four of them
_MAX_KEYWORDS = 200  # `elif` and `lambda` nest without a bracket, across lines and commas
_NESTING = re.compile(r"[(\[{]|[)\]}]|[,;\n]|[-+~*/%@&|^<>=.]|\b(?:not|if|else|and|or|await)\b")
_MAX_PARSES = 512  # per completion; the number of parsed characters is limited too
_SAMPLE_LINES = 15  # at each end of a text that does not parse, to judge it by
_MAX_LINE = 500
_CLAUSES = ("else:", "elif ", "except", "finally:", "case ", "@", "print ")
_STAR_IMPORTS = {"math", "cmath", "itertools", "functools", "collections", "operator", "heapq", "bisect", "string"}
_BUILTINS = frozenset(dir(builtins))
_CALLED = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\(")
_ASSIGNED = re.compile(r"\b(\w+)[ \t]*=(?!=)")
_BINDS = re.compile(r"\b(?:as|class|def|for|import|lambda)\b")
_BLOCKS = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If, ast.For, ast.AsyncFor, ast.While, ast.Match),
    *(ast.With, ast.AsyncWith, ast.Try, ast.TryStar),
)
_ACTIONS = (ast.Call, ast.Await, ast.NamedExpr, ast.ListComp)
_FILTERS_LOCK = threading.Lock()  # the filters of `warnings` belong to the whole process


class Parser:
    """
    Parse slices of one completion, at a total cost linear in its length.

    Args:
        text (`str`): The completion.
    """

    def __init__(self, text: str):
        self.text = text
        self._characters_left = 8 * len(text) + 10_000
        self._parses_left = _MAX_PARSES
        self._known: dict[tuple[int, int, str], ast.Module | None] = {}

    def parse(self, start: int, end: int, suffix: str = "") -> ast.Module | None:
        """Syntax tree of a slice, or `None` if it is not Python or too large to parse."""
        place = start, end, suffix
        if place not in self._known:
            size = end - start
            if size > self._characters_left or self._parses_left == 0:
                return None
            self._characters_left -= size
            self._parses_left -= 1
            self._known[place] = _parse(self.text[start:end] + suffix)[0]
        return self._known[place]

    def is_code(self, start: int, end: int) -> bool:
        """Whether a slice is a program or, if it does not parse, looks like code."""
        tree = self.parse(start, end)
        return looks_like_code(self.text[start:end]) if tree is None else is_program(tree)


@dataclass(frozen=True, slots=True)
class Names:
    """
    Names of a program at module level.

    Args:
        defined (`frozenset[str]`): Names that it defines other than by an import.
        needed (`frozenset[str]`): Names that it loads, but does not bind, and that are not built in.
    """

    defined: frozenset[str] = frozenset()
    needed: frozenset[str] = frozenset()


def read_names(source: str) -> Names:
    """Names of a program; if it does not parse, of the part before the error."""
    whole = source
    tree, error_line = _parse(source)
    for _ in range(4):
        if tree is not None or not error_line:
            break
        lines = source.split("\n")
        source = "\n".join(lines[: min(error_line, len(lines)) - 1])
        tree, error_line = _parse(source)
    if tree is None:
        return Names()
    try:
        with _FILTERS_LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = symtable.symtable(without_indent(source), "<completion>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Names()
    bound = {symbol.get_name() for symbol in module.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    defined = {symbol.get_name() for symbol in module.get_symbols() if symbol.is_assigned()}
    loaded = {symbol.get_name() for symbol in module.get_symbols() if symbol.is_referenced()}
    scopes = module.get_children()
    while scopes:
        scope = scopes.pop()
        scopes += scope.get_children()
        for symbol in scope.get_symbols():
            if symbol.is_global() and symbol.is_referenced():
                loaded.add(symbol.get_name())
            if symbol.is_declared_global() and symbol.is_assigned():
                defined.add(symbol.get_name())
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
            # These modules are safe to import here; the names of other ones are not known.
            bound |= set(dir(importlib.import_module(statement.module))) if _is_known(statement.module) else set()
    rest = whole[len(source) :]  # a truncated example, `print(f(1`, needs `f`
    if not _BINDS.search(rest):
        bound |= {*_ASSIGNED.findall(rest)}
        loaded |= {*_CALLED.findall(rest)}
    return Names(frozenset(defined), frozenset(loaded - bound - defined - _BUILTINS))


def _is_known(module: str | None) -> TypeGuard[str]:
    return module in _STAR_IMPORTS


def indent_of(source: str) -> int:
    """Number of blanks before the first line with text, as in a block of a list item."""
    before = source[: len(source) - len(source.lstrip())]
    indent = before[before.rfind("\n") + 1 :]
    return 0 if indent.strip(" \t") or len(before) == len(source) else len(indent)


def without_indent(source: str) -> str:
    """Remove the indent of the first line from each line, as far as it has one."""
    indent = indent_of(source)
    return re.sub(rf"(?m)^[ \t]{{1,{indent}}}", "", source) if indent else source


def is_program(tree: ast.Module) -> bool:
    """Whether a module has more than imports, asserts, names and values."""
    return any(_acts(statement) for statement in tree.body)


def _acts(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return any(isinstance(node, _ACTIONS) for node in ast.walk(statement.value))
    if isinstance(statement, ast.AnnAssign):  # without a value it may be prose, `Time: O(n)`
        return statement.value is not None
    return isinstance(statement, (*_BLOCKS, ast.Assign, ast.AugAssign))


def looks_like_code(source: str) -> bool:
    """Whether most lines of a text that does not parse are Python by themselves."""
    lines = [line for line in map(str.strip, source.splitlines()) if line and line[0] != "#"]
    lines = [line for line in lines[:_SAMPLE_LINES] + lines[_SAMPLE_LINES:][-_SAMPLE_LINES:] if len(line) <= _MAX_LINE]
    return 2 * sum(map(_is_code_line, lines)) > len(lines)


def _is_code_line(line: str) -> bool:
    if line.startswith(_CLAUSES):
        return True
    tree = _parse(line + " pass" if line.endswith(":") else line)[0]
    if tree is None or not tree.body:
        return False
    statement = tree.body[0]
    return _acts(statement) or not isinstance(statement, (ast.Expr, ast.AnnAssign))


def has_only_signatures(source: str, names: Collection[str]) -> bool:
    """Whether a program has only functions with these names and empty bodies."""
    tree = _parse(source)[0]
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)] if tree is not None else []
    if tree is None or not functions or len(functions) < len(tree.body):
        return False
    bodies = [node for function in functions for node in function.body]
    is_empty = all(
        isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in bodies
    )
    return is_empty and {function.name for function in functions} <= set(names)


def is_quoted(text: str, start: int, end: int) -> bool:
    """Whether a slice of a line of Python is within a string literal."""
    # Look no further than the longest line that is parsed: one long line may have many such slices.
    first, last = max(start - _MAX_LINE - 1, 0), end + _MAX_LINE + 1
    line_start = text.rfind("\n", first, start) + 1 or first
    line_end = text.find("\n", end, last)
    line = text[line_start : last if line_end < 0 else line_end].strip()
    if len(line) > _MAX_LINE or not {"'", '"'} & set(line):
        return False
    tree = _parse(line + " pass" if line.endswith(":") else line)[0]
    return tree is not None and any(
        isinstance(node, ast.Constant) and isinstance(node.value, str) and text[start:end] in node.value
        for node in ast.walk(tree)
    )


def parse_program(source: str) -> ast.Module | None:
    """
    Parse a program that a model wrote.

    Args:
        source (`str`): Any text.

    Returns:
        `ast.Module` or `None`: Its syntax tree; `None` if it does not compile, or is too long or too deep for the parser.
    """
    return _parse(source)[0]


def _parse(source: str) -> tuple[ast.Module | None, int]:
    """Tree of a program, which may be indented as a whole; line of its error or 0."""
    if len(source) > _MAX_CHARACTERS or not is_shallow(source):
        return None, 0
    try:
        with _FILTERS_LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(without_indent(source)), 0
    except SyntaxError as error:
        return None, error.lineno or 0
    except (ValueError, RecursionError, MemoryError):
        return None, 0


def is_shallow(source: str) -> bool:
    """
    Whether the syntax tree of a text is shallow enough for the parser.

    Brackets, and the operators of the expression around each bracket, are counted within strings too. This may refuse a program
    that is not deep, but never accepts a deep one.
    """
    if source.count("elif") + source.count("lambda") > _MAX_KEYWORDS:
        return False
    depth = 0
    operators = [0]  # since the last separator, per open bracket
    for match in _NESTING.finditer(source):
        token = match[0]
        if token in "([{":
            operators.append(0)
            depth += _BRACKET_DEPTH
        elif token in ")]}" or token in ",;\n":
            if token in ")]}" and len(operators) > 1:
                depth -= operators.pop() + _BRACKET_DEPTH
            if token in ",;" or (token == "\n" and len(operators) == 1):
                depth -= operators[-1]
                operators[-1] = 0
            elif token in ")]}":  # a call or an index may follow
                operators[-1] += 1
                depth += 1
        else:
            operators[-1] += 1
            depth += 1
        if depth > _MAX_DEPTH:
            return False
    return True
