"""Find the statement and the sub-expression that an error points at."""

# Runs inside the sandbox: a hostile source can crash the parser.

from __future__ import annotations

import ast
import codeop
import io
import re
import tokenize
import warnings
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from ...wire.messages import ErrorDescription, ErrorSite


_LINE_END = re.compile("\r\n|\r|\n")
_TRIPLE_QUOTE = re.compile(r"""[A-Za-z]{0,2}('{3}|"{3})""")
_Block = (ast.stmt, ast.ExceptHandler, ast.match_case)
BYTE_ORDER_MARK = "\ufeff"


def locate(source: str, error: ErrorDescription) -> ErrorSite:
    """
    Locate an error in the unmodified source.

    Args:
        source (`str`): The program.
        error (`ErrorDescription`): The report of the program's process.

    Returns:
        `ErrorSite`: The place. Columns count characters.
    """
    warnings.simplefilter("ignore")
    text = source.removeprefix(BYTE_ORDER_MARK)  # as in `compile_program`
    locate_it = _locate_syntax_error if error["phase"] == "compile" else _locate_exception
    site = locate_it(text, _LINE_END.split(text), error)
    if text != source:
        site["span"], site["expression_span"] = _after_mark(site["span"]), _after_mark(site["expression_span"])
    return site


def _after_mark(span: list[int] | None) -> list[int] | None:
    """Count the byte order mark as the first character of the first line."""
    if span is None:
        return None
    line, column, end_line, end_column = span
    return [line, column + (line == 1), end_line, end_column + (end_line == 1)]


def _locate_syntax_error(source: str, lines: list[str], error: ErrorDescription) -> ErrorSite:
    site: ErrorSite = {"detail": "", "span": None, "expression_span": None}
    position = error["position"]
    if error["type"] == "TabError" or _has_inconsistent_dedent(source):
        site["detail"] = "inconsistent_indentation"
        return site
    if position is None:
        null = source.find("\0")
        if null >= 0:
            line = len(_LINE_END.findall(source, 0, null))
            site["span"] = _whole_lines(lines, line + 1, line + 1)
        return site
    line, end_line, column, end_column = position
    line = min(max(line, 1), len(lines))
    end_line = min(max(end_line, line), len(lines))
    if _is_incomplete(source):
        triple_quote = _TRIPLE_QUOTE.match(lines[line - 1], max(column, 0))
        site["detail"] = "unterminated_triple_quote" if triple_quote else "truncated"
        if not triple_quote:
            site["span"] = _whole_lines(lines, line, len(lines))  # from the open bracket or header to the end
        return site
    site["detail"] = _symbol_table_detail(source, line)
    if not site["detail"]:
        # Some positions are after the last character (a missing block, a missing bracket): take the last line with text.
        while line > 1 and not lines[line - 1].strip():
            line -= 1
            end_line, column, end_column = line, len(lines[line - 1]), -1
        site["span"] = _whole_lines(lines, line, end_line)
        if line == end_line and column == len(lines[line - 1]) and line < len(lines):
            end_column = column + 1  # the line break, where something else was expected: a colon, a bracket
        exact = [line, column, end_line, end_column]
        inside = 0 <= column < end_column <= len(lines[end_line - 1]) + 1 if line == end_line else column >= 0
        site["expression_span"] = exact if inside and end_column > 0 else site["span"]
    return site


def _is_incomplete(source: str) -> bool:
    try:
        return codeop.compile_command(source, "<program>", "exec") is None
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return False


def _has_inconsistent_dedent(source: str) -> bool:
    # The tokenizer itself raises IndentationError only for a dedent that matches no outer level.
    try:
        for _ in tokenize.generate_tokens(io.StringIO(source).readline):
            pass
    except IndentationError:
        return True
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError):
        pass
    return False


def _symbol_table_detail(source: str, line: int) -> str:
    """Name an error that the parser accepts and the symbol table refuses."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    for node in ast.walk(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        arguments = node.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        names = [argument.arg for argument in [*named, arguments.vararg, arguments.kwarg] if argument is not None]
        if len(set(names)) < len(names) and node.lineno <= line <= (node.end_lineno or line):
            return "duplicate_argument"
        if any(
            isinstance(inner, ast.ImportFrom) and inner.names[0].name == "*" and inner.lineno == line
            for inner in ast.walk(node)
        ):
            return "import_star"
    return ""


def _locate_exception(source: str, lines: list[str], error: ErrorDescription) -> ErrorSite:
    site: ErrorSite = {"detail": "", "span": None, "expression_span": None}
    if error["position"] is None:
        return site
    line, end_line, start, end = error["position"]
    if not (1 <= line <= end_line <= len(lines)):
        return site
    column, end_column = _characters(lines[line - 1], start), _characters(lines[end_line - 1], end)
    statement = _statement_at(ast.parse(source), lines, line, column)
    span = _whole_lines(lines, line, end_line) if statement is None else statement[1]
    raised_here = statement is not None and isinstance(statement[0], ast.Raise)
    # Only the interpreter raises a bare RuntimeError from another statement. Its cause is elsewhere.
    if error["type"] == "RuntimeError" and not raised_here:
        site["detail"] = "raised_by_interpreter"
    known = start >= 0 and end >= 0 and (line, column) < (end_line, end_column)
    # Some instructions have the place of a whole block (the loop of a `for`), which is larger than the statement.
    inside = known and (end_line, end_column) <= (span[2], span[3])
    site["span"], site["expression_span"] = span, [line, column, end_line, end_column] if inside else span
    return site


def _characters(line: str, num_bytes: int) -> int:
    return len(line.encode("utf-8", "surrogatepass")[: max(num_bytes, 0)].decode("utf-8", "ignore"))


def _whole_lines(lines: list[str], line: int, end_line: int) -> list[int]:
    """Return the span from the first to the last visible character of the lines."""
    first, last = lines[line - 1], lines[end_line - 1]
    return [line, len(first) - len(first.lstrip()), end_line, len(last.rstrip())]


def _statement_at(tree: ast.Module, lines: list[str], line: int, column: int) -> tuple[ast.AST, list[int]] | None:
    """Find the innermost statement, or header of a compound statement, at a place."""
    best: tuple[ast.AST, list[int]] | None = None
    for node in ast.walk(tree):
        if not isinstance(node, _Block):
            continue
        span = _extent(node, lines)
        # `ast.walk` goes from the outside in, so a later hit is an inner one.
        if (span[0], span[1]) <= (line, column) < (span[2], span[3]) or span[0] < line < span[2]:
            best = node, span
    return best


def _extent(node: Any, lines: list[str]) -> list[int]:
    start_node = node.pattern if isinstance(node, ast.match_case) else node
    line, column = start_node.lineno, _characters(lines[start_node.lineno - 1], start_node.col_offset)
    body = getattr(node, "body", None) or getattr(node, "cases", None)
    if not body:
        end_line = node.end_lineno
        return [line, column, end_line, _characters(lines[end_line - 1], node.end_col_offset)]
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.decorator_list:
        # A decorator fails on its own line, above the `def` that Python reports as the start.
        line = min(decorator.lineno for decorator in node.decorator_list)
        column = len(lines[line - 1]) - len(lines[line - 1].lstrip())
    first = body[0].pattern if isinstance(body[0], ast.match_case) else body[0]
    decorators = getattr(first, "decorator_list", [])
    body_line = min([first.lineno, *(decorator.lineno for decorator in decorators)])
    if body_line > start_node.lineno:
        end_line = max(
            [start_node.lineno, *(child.end_lineno for child in _header_children(node) if child.end_lineno)]
        )
        return [line, column, end_line, len(lines[end_line - 1].rstrip())]
    return [line, column, body_line, _characters(lines[body_line - 1], first.col_offset)]


def _header_children(node: ast.AST) -> list[ast.expr | ast.pattern]:
    headers = (ast.expr, ast.arguments, ast.withitem, ast.pattern)
    children = [child for child in ast.iter_child_nodes(node) if isinstance(child, headers)]
    return [leaf for child in children for leaf in ast.walk(child) if isinstance(leaf, (ast.expr, ast.pattern))]
