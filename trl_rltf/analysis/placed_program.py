"""Find the program to analyse, and its findings in the completion."""

from __future__ import annotations

import ast
import textwrap
from dataclasses import dataclass, replace
from typing import Any, Self

from ..completions.conversation import final_program
from ..completions.tokens import LINE_END, span_characters
from ..data.starter_code import complete_program, continues_function
from ..execution import Span
from .findings import Finding


_BODY_INDENT = 4  # blanks that `complete_program` puts before a body without an indent


@dataclass(frozen=True, slots=True)
class PlacedProgram:
    """
    A program that is analysed, and its position in a completion.

    Args:
        code (`str`): Text that is analysed, with the starter code of the problem.
        text (`str`): Text of the completion.
        source (`str`): The program, a slice of the text.
        start (`int`): Index of its first character in the text.
        indent (`int`): Blanks that were removed from each of its lines.
        added_lines (`int`): Lines before the program in `code`.
        added_columns (`int`): Characters before the program in its first line in `code`.
        added_indent (`int`): Blanks that were put before each of its lines.
    """

    code: str
    text: str
    source: str
    start: int
    indent: int = 0
    added_lines: int = 0
    added_columns: int = 0
    added_indent: int = 0

    @classmethod
    def of(cls, completion: Any, starter_code: str | None = None) -> Self:
        """
        Find the program of a completion.

        Args:
            completion (`str` or `list[dict]`): The completion, as text or as chat messages.
            starter_code (`str`, *optional*): Code that the prompt begins with. The program is completed with it, as in an
                evaluation.

        Returns:
            [`PlacedProgram`]: The program.
        """
        program, text = final_program(completion)
        alone = cls(program.code, text, program.source, program.start, program.indent)
        if not starter_code:
            return alone
        if continues_function(text):  # the body of a function keeps its indent
            return cls(complete_program(starter_code, text), text, text, 0)._after(starter_code)
        whole = complete_program(starter_code, program.code)
        if whole == program.code:
            return alone
        if not whole.endswith(program.code) or whole == starter_code + textwrap.indent(
            program.code, " " * _BODY_INDENT
        ):
            return replace(alone, code=whole, added_indent=_BODY_INDENT)._after(starter_code)
        before = whole[: len(whole) - len(program.code)]
        # Names that are used here are not redefined by an import of the model.
        before += "".join(f"{name}\n" for name in _bound_names(before))
        return replace(alone, code=before + program.code)._after(before)

    def in_program(self, finding: Finding) -> Finding | None:
        """
        Give a finding the lines and columns of the program alone.

        Args:
            finding ([`Finding`]): A finding in `code`.

        Returns:
            [`Finding`] or `None`: The finding; `None` if it begins in the starter code.
        """
        span = finding.span
        if span is None:
            return finding
        if (span.line, span.column) < (self.added_lines + 1, self.added_columns):
            return None
        moved = Span(
            line=span.line - self.added_lines,
            column=self._column(span.line, span.column),
            end_line=span.end_line - self.added_lines,
            end_column=self._column(span.end_line, span.end_column),
        )
        return replace(finding, span=moved)

    def characters(self, span: Span) -> tuple[int, int]:
        """
        Find the characters of a span.

        Args:
            span ([`~execution.Span`]): Lines and columns of the program alone.

        Returns:
            `tuple[int, int]`: Index in the text of the first character, and of the one after the last; at least one character, if
            the text has one.
        """
        first, last = span_characters(span, self.source, self.start, indent=self.indent)
        if first >= last:  # a syntax error may be between two characters
            last = min(first + 1, len(self.text))
            first = max(0, min(first, last - 1))
        return first, last

    def _column(self, line: int, column: int) -> int:
        added = self.added_columns if line == self.added_lines + 1 else 0
        return max(0, column - added - self.added_indent)

    def _after(self, before: str) -> Self:
        line_ends = list(LINE_END.finditer(before))
        last_line = line_ends[-1].end() if line_ends else 0
        return replace(self, added_lines=len(line_ends), added_columns=len(before) - last_line)


def _bound_names(source: str) -> list[str]:
    """Names that the imports and functions of a complete text bind."""
    names: list[str] = []
    for node in ast.parse(source).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names += [(alias.asname or alias.name).partition(".")[0] for alias in node.names if alias.name != "*"]
        elif isinstance(node, ast.FunctionDef):
            names.append(node.name)
    return names
