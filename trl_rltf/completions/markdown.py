"""Find the fenced blocks of a completion, without those of its reasoning."""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from .python_text import Parser, is_program, is_quoted


_RUN = re.compile(r"`{3,}|~{3,}")
_LIST_ITEM = re.compile(r"[ \t]{0,20}(?:[-*+]|\d{1,9}[.)])[ \t]{1,4}")
_OTHER_TAG = re.compile(r"[ \t]{0,20}</?[A-Za-z]{1,20}>[ \t]{0,4}")
_BLANK = re.compile(r"\s*")
_TAG = re.compile(
    r"<(/?)(?:seed:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflect(?:ion)?|analysis|scratch_?pad|cot|plan(?:ning)?)"
    r"(?: [^<>\n]{0,80})?>"
    r"|\[(/?)THINK\]|◁(/?)think▷|<\|(?:begin|(end))_of_thought\|>",
    re.IGNORECASE,
)
_END_MARKER = re.compile(
    r"<\|[A-Za-z_]{2,30}\|>|</?s>|\[/PYTHON\]|<eos>|<end_of_turn>|<｜end▁of▁sentence｜>", re.IGNORECASE
)
_ANSWER_TAG = re.compile(r"<(answer|solution|code|final)>", re.IGNORECASE)
# First line of a completion whose prompt ends with an opening fence, or the tag of Code Llama.
_OPENING_LINE = re.compile(r"\s*(?:(?:python|py)[\d.]{0,4}|\[PYTHON\])[ \t]*(?:\r?\n|\r)", re.IGNORECASE)
_PYTHON = re.compile(
    r"(?:language-)?(?:[ic]?python|micropython|pypy|py|jupyter|[\w-]{1,40}\.py)(?:[-_]?[\d.]{1,8}|[-_](?:code|script))?"
    r"|(?:tool_)?code|code-cell|code-block"
)
_MARKDOWN = {"markdown", "md", "mdx"}
_LANGUAGES = frozenset(
    "text txt plain plaintext output input console bash sh shell zsh powershell cmd terminal json yaml toml xml html "
    "css sql c cpp c++ cxx csharp cs java javascript js typescript ts go rust ruby php kotlin swift scala r julia "
    "haskell perl lua diff makefile dockerfile latex tex math pycon pseudocode cython sage".split()
)
_MAX_BEFORE = 80  # characters that are read before a fence or a tag on its line
_MAX_INFO = 200
_MAX_TRIES = 8  # ends of a block that are tried
_MAX_SEARCH = 64  # fences that are considered for the end of a block


@dataclass(frozen=True, slots=True)
class Block:
    """
    Content of a fenced block that may be Python.

    Args:
        start (`int`): Index of its first character in the completion.
        end (`int`): Index after its last character.
        is_marked (`bool`): Whether its info string says that it is Python; otherwise it has no info string.
    """

    start: int
    end: int
    is_marked: bool


@dataclass(frozen=True, slots=True)
class _Fence:
    line: int  # index of the first character of its line, or after a tag in the line
    start: int  # index of its first tick
    info_start: int
    next_line: int
    before: str  # text before its ticks, at most `_MAX_BEFORE` characters
    info: str
    tick: str
    length: int
    indent: int
    starts_line: bool

    @property
    def language(self) -> str:
        """First word of the info string, in lower case and without invisible characters."""
        visible = "".join(c for c in self.info if unicodedata.category(c) != "Cf").strip("{}. \t")
        return re.split(r"[\s,:;={}\"'()\[\]#]", visible, maxsplit=1)[0].lower()

    @property
    def is_python(self) -> bool:
        return _PYTHON.fullmatch(self.language) is not None

    @property
    def can_open(self) -> bool:
        if self.tick == "`" and "`" in self.info:
            return False
        # Models also write a fence after a colon; but a fence in a comment opens nothing.
        follows_text = self.is_python or (not self.info and self.before.rstrip().endswith(":"))
        follows_text = follows_text and not self.before.lstrip().startswith(("#", ">"))
        is_first = _LIST_ITEM.fullmatch(self.before) or _OTHER_TAG.fullmatch(self.before)
        return self.starts_line or follows_text or is_first is not None

    @property
    def is_comment(self) -> bool:
        """Whether this fence is inside a comment, and not at its end."""
        comment = self.before.lstrip()
        return comment.startswith("#") and (bool(self.info) or not comment.strip("# \t"))

    @property
    def is_another(self) -> bool:
        """Whether this fence, in a block, opens the next block instead of closing it."""
        return self.is_python or self.language in _LANGUAGES or self.language in _MARKDOWN


def _fences(text: str) -> Iterator[_Fence]:
    """All runs of three or more ticks or tildes; each may be a fence."""
    line, next_line = 0, 0
    for run in _RUN.finditer(text):
        if run.start() >= next_line:
            line = text.rfind("\n", next_line, run.start()) + 1 or next_line
            next_line = (text.find("\n", run.end()) + 1) or len(text)
        tags_end = max(
            (tag.end() for tag in _TAG.finditer(text, max(line, run.start() - _MAX_BEFORE), run.start())), default=line
        )
        before = text[max(tags_end, run.start() - _MAX_BEFORE) : run.start()]
        info = text[run.end() : min(next_line, run.end() + _MAX_INFO)].strip()
        starts_line = not before.strip(" \t\ufeff")
        indent = len(before.expandtabs(4)) if starts_line or _LIST_ITEM.fullmatch(before) else 0
        length = run.end() - run.start()
        yield _Fence(tags_end, run.start(), run.end(), next_line, before, info, run[0][0], length, indent, starts_line)


class Answer:
    """
    The part of a completion that is not reasoning.

    Args:
        text (`str`): The completion.
        parser ([`Parser`]): Parser of its slices.

    Attributes:
        blocks (`list[Block]`): Its blocks of code that may be Python, in order.
        start (`int`): Index where its last text starts. If there is no block, this text is the program.
        end (`int`): Index where its last text ends.
    """

    def __init__(self, text: str, parser: Parser):
        self._text = text
        self._parser = parser
        self._fences = list(_fences(text))
        self._fence_starts = [fence.start for fence in self._fences]
        self._tags = [tag for tag in _TAG.finditer(text) if not self._is_inline_code(tag)]
        self._tag_starts = [tag.start() for tag in self._tags]
        self._quotes = {quotes: [match.start() for match in re.finditer(quotes, text)] for quotes in ('"""', "'''")}
        self.blocks: list[Block] = []
        opening = _OPENING_LINE.match(text)
        self.start = opening.end() if opening else 0
        self.end = len(text)
        self._read()

    def _read(self) -> None:
        if self._is_program_from(self.start):
            return
        position = self._read_prompt_block()
        reasoning: tuple[int, int] | None = None  # its start, and the number of blocks before it
        while True:
            fence = self._fence_from(position)
            tag = self._tag_from(position)
            if tag is not None and (fence is None or tag.start() < fence.start):
                position = tag.end()
                if not _closes(tag):
                    if reasoning is None and self._starts_line(tag):
                        reasoning = tag.start(), len(self.blocks)
                elif not is_quoted(self._text, *tag.span()):
                    # The opening tag may be in the prompt.
                    del self.blocks[reasoning[1] if reasoning else 0 :]
                    reasoning = None
                    self.start = self._skip_blank_lines(position)
                    if self._is_program_from(self.start):
                        self.blocks.clear()
                        return
            elif fence is not None:
                position = self._read_fence(fence)
            else:
                break
        if reasoning is not None:  # truncated
            del self.blocks[reasoning[1] :]
            self.end = reasoning[0]
        self._trim()

    def _is_program_from(self, start: int) -> bool:
        """Whether the rest of the text is a program, whose fences are then in strings."""
        tree = self._parser.parse(start, len(self._text))
        if tree is None or not is_program(tree):
            return False
        fence = self._fence_from(start)
        if fence is None:
            return True
        # Tildes are Python operators: they are a fence only if a statement starts with them.
        line = self._text.count("\n", start, fence.start) + 1
        return all(statement.lineno != line for statement in tree.body)

    def _read_prompt_block(self) -> int:
        """Read a block that was opened in the prompt; return the next position."""
        start = self.start
        tag, fence = self._tag_from(start), self._fence_from(start)
        end, position, is_closed = self._find_end(start, fence.tick if fence else "`", 3, 3)
        has_other = (tag is not None and tag.start() < end) or (
            fence is not None and fence.start < end and fence.can_open
        )
        if (
            not is_closed
            or (has_other and self._parser.parse(start, end) is None)
            or not self._parser.is_code(start, end)
        ):
            return start
        fence = self._fence_from(end)
        assert fence is not None
        following = self._fence_from(fence.next_line)
        if fence.starts_line and not fence.info and not (following is not None and following.is_another):
            # The text may also be a formula before an unmarked block, if there is code between this fence and the next.
            following_start = len(self._text) if following is None else following.line
            if self._parser.is_code(fence.next_line, max(fence.next_line, following_start)):
                self.blocks.append(Block(start, end, False))
                return fence.start
        self.blocks.append(Block(start, end, True))
        return position

    def _read_fence(self, fence: _Fence) -> int:
        """Read a block, if the fence opens one; return the next position."""
        if not fence.can_open:
            return fence.info_start
        # Ignore the fence of a Markdown block and read its content.
        if fence.language in _MARKDOWN or self._is_in_string(fence):
            return fence.next_line
        start = fence.next_line
        content = self._text[start : start + 200].lstrip("\r\n")
        is_list_item = len(content) - len(content.lstrip(" \t")) >= fence.indent
        deepest = fence.indent + 3 if is_list_item and fence.starts_line else max(fence.indent, 3)
        end, position, is_closed = self._find_end(start, fence.tick, fence.length, deepest)
        if not is_closed and self._parser.parse(start, end) is None:
            end = self._end_marker(start, end)
        if fence.is_python or not fence.language:
            self.blocks.append(Block(start, end, fence.is_python))
        return max(position, start)

    def _find_end(self, start: int, tick: str, length: int, deepest: int) -> tuple[int, int, bool]:
        """End of the content of a block, the next position, and whether it is closed."""
        first = bisect.bisect_left(self._fence_starts, start)
        closing: list[_Fence] = []
        glued: list[_Fence] = []  # to a statement
        for fence in self._fences[first : first + _MAX_SEARCH]:
            if fence.tick != tick or len(closing) == _MAX_TRIES:
                continue
            if fence.starts_line and fence.length >= length and fence.indent <= deepest and "`" not in fence.info:
                closing.append(fence)
            elif not closing and len(glued) < _MAX_TRIES and not fence.is_comment:
                glued.append(fence)
        end = closing[0].line if closing else len(self._text)
        tag = self._end_of_reasoning(start, end)
        usual = self._at(closing[0]) if closing else (end, end, False)
        has_open_string = bool(self._open_quotes(start, end))
        if not (has_open_string or glued or tag) or self._parser.parse(start, end) is not None:
            return usual
        if has_open_string:  # which may contain the fence
            for fence in closing[1:]:
                if self._parser.parse(start, fence.line) is not None:
                    return self._at(fence)
            if closing and self._parser.parse(start, len(self._text)) is not None:
                return len(self._text), len(self._text), False
        for fence in glued:
            if closing and "#" in fence.before:
                continue
            if self._text[start : fence.start].strip() and self._parser.parse(start, fence.start) is not None:
                return fence.start, fence.info_start, True
        if tag is not None:
            return tag, tag, False
        for fence in glued:
            is_last = (not fence.info or _END_MARKER.match(fence.info)) and fence.before.strip()
            is_usual = fence.starts_line and fence.length >= length and fence.indent <= deepest
            if is_usual or (is_last and not {"`", "#"} & set(fence.before)):
                return fence.start, fence.info_start, True
        return usual

    def _at(self, fence: _Fence) -> tuple[int, int, bool]:
        return (fence.line, fence.start, False) if fence.is_another else (fence.line, fence.info_start, True)

    def _is_in_string(self, fence: _Fence) -> bool:
        """Whether the text before a fence is code that ends in an open string."""
        return any(
            self._parser.parse(self.start, fence.line, quotes) is not None
            for quotes in self._open_quotes(self.start, fence.line)
        )

    def _open_quotes(self, start: int, end: int) -> list[str]:
        """Triple quotes that occur an odd number of times between two positions."""
        return [
            quotes
            for quotes, places in self._quotes.items()
            if (bisect.bisect_left(places, end) - bisect.bisect_left(places, start)) % 2
        ]

    def _end_of_reasoning(self, start: int, end: int) -> int | None:
        """Position of the end tag, between two positions, of earlier reasoning."""
        depth = 0
        for index in range(bisect.bisect_left(self._tag_starts, start), len(self._tags)):
            tag = self._tags[index]
            if tag.start() >= end:
                break
            if not _closes(tag):
                depth += 1
            elif depth:
                depth -= 1
            elif not is_quoted(self._text, *tag.span()):
                return tag.start()
        return None

    def _trim(self) -> None:
        """Remove the answer tags and the end marker around a program without a fence."""
        self.end = max(self.start, self.end)
        if self._parser.parse(self.start, self.end) is not None:
            return
        self.end = self._end_marker(self.start, self.end)
        tag = _ANSWER_TAG.match(self._text, _BLANK.match(self._text, self.start).end())  # type: ignore[union-attr]
        if tag is not None and tag.end() <= self.end:
            self.start = self._skip_blank_lines(tag.end())
            closing = self._text.rfind(f"</{tag[1]}>", self.start, self.end)
            self.end = max(self.start, self.end if closing < 0 else closing)

    def _end_marker(self, start: int, end: int) -> int:
        markers = (m for m in _END_MARKER.finditer(self._text, start, end) if not is_quoted(self._text, *m.span()))
        return next((marker.start() for marker in markers), end)

    def _skip_blank_lines(self, position: int) -> int:
        blank_end = _BLANK.match(self._text, position).end()  # type: ignore[union-attr]
        return (self._text.rfind("\n", position, blank_end) + 1) or blank_end

    def _fence_from(self, position: int) -> _Fence | None:
        index = bisect.bisect_left(self._fence_starts, position)
        return self._fences[index] if index < len(self._fences) else None

    def _tag_from(self, position: int) -> re.Match[str] | None:
        index = bisect.bisect_left(self._tag_starts, position)
        return self._tags[index] if index < len(self._tags) else None

    def _starts_line(self, tag: re.Match[str]) -> bool:
        before = self._text[max(0, tag.start() - _MAX_BEFORE) : tag.start()]
        return not before.rpartition("\n")[2].strip()

    def _is_inline_code(self, tag: re.Match[str]) -> bool:
        after = self._text[tag.end() : tag.end() + 3]
        return self._text[tag.start() - 1 : tag.start()] == "`" and after[:1] == "`" and after != "```"


def _closes(tag: re.Match[str]) -> bool:
    return any(tag.groups())
