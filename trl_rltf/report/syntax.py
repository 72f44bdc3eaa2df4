"""Colour programs, and describe ranges of their text in units of a browser."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Error, Keyword, Literal, Name, Number, Operator, String, _TokenType

from ..completions.program import extract_program
from ..completions.tokens import LINE_END
from ..data.starter_code import complete_program


# Letter of each kind of token; the first that contains it counts. Text without a kind is "-".
_KINDS: Sequence[tuple[_TokenType, str]] = (
    (Comment, "c"),
    (String, "s"),
    (Number, "m"),
    (Literal, "m"),
    (Operator.Word, "k"),
    (Keyword, "k"),
    (Name.Function, "f"),
    (Name.Class, "f"),
    (Name.Decorator, "d"),
    (Name.Builtin, "b"),
    (Name.Exception, "b"),
    (Error, "e"),
)
_OUTSIDE = "x"  # text of a completion that is not its program
_LEXER = PythonLexer()


class ShownProgram:
    """
    The program of a completion, as a report shows it.

    Args:
        text (`str`): The completion.
        starter_code (`str`, *optional*, defaults to `""`): Code of the prompt that the completion continues.

    Attributes:
        kinds (`str`): Kinds of the text, such as `"x10k3-1f4"`: a letter and a number of UTF-16 units each.
        first_line (`int`): Lines of the completion before the program.
    """

    def __init__(self, text: str, starter_code: str = ""):
        program = extract_program(text)
        self._source = program.source
        self._starter_code = starter_code
        self.first_line = len(LINE_END.findall(text[: program.start]))
        self.num_lines = len(LINE_END.findall(program.source.rstrip())) + 1
        before, after = text[: program.start], text[program.start + len(program.source) :]
        pieces = [(_OUTSIDE, before), *_colour(program.source), (_OUTSIDE, after)]
        self.kinds = "".join(f"{kind}{utf16_length(piece)}" for kind, piece in _merged(pieces))

    def line_of(self, error_line: int | None) -> int | None:
        """
        Find a line of the graded program in the completion.

        Args:
            error_line (`int` or `None`): Line of the program, counted from 1.

        Returns:
            `int` or `None`: Index of the line in the completion, or `None` if it is in the starter code.
        """
        if error_line is None:
            return None
        whole = complete_program(self._starter_code, self._source)
        place = whole.rfind(self._source)
        added = len(LINE_END.findall(whole[:place])) if place > 0 else 0
        line = self.first_line + error_line - 1 - added
        return line if line >= self.first_line else None


# The completions of a trained policy are often the same.
show_program = functools.lru_cache(maxsize=4096)(ShownProgram)


def utf16_length(text: str) -> int:
    """Return the length of a text in the units in which a browser counts."""
    return len(text) + sum(character > "\uffff" for character in text)


def utf16_ranges(text: str, ranges: Sequence[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """
    Convert ranges of characters into ranges of UTF-16 units.

    Args:
        text (`str`): The text.
        ranges (`Sequence`): First character, end and value of each range, in ascending order.

    Returns:
        `list`: The part of each range that is in the text; empty ranges are left out.
    """
    if text.isascii():
        offsets: Sequence[int] = range(len(text) + 1)
    else:
        offsets = [0]
        for character in text:
            offsets.append(offsets[-1] + utf16_length(character))
    clipped = [(min(begin, len(text)), min(end, len(text)), value) for begin, end, value in ranges]
    return [(offsets[begin], offsets[end], value) for begin, end, value in clipped if begin < end]


def _colour(source: str) -> Iterator[tuple[str, str]]:
    # The other methods of a lexer change the text: line ends, and the last line.
    for _, token, piece in _LEXER.get_tokens_unprocessed(source):
        yield next((letter for kind, letter in _KINDS if token in kind), "-"), piece


def _merged(pieces: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    merged: list[tuple[str, str]] = []
    for kind, piece in pieces:
        if merged and merged[-1][0] == kind:
            merged[-1] = (kind, merged[-1][1] + piece)
        elif piece:
            merged.append((kind, piece))
    return merged
