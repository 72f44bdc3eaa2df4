"""Find the text of a completion, and the program in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .markdown import Answer, Block
from .python_text import (
    Parser,
    has_only_signatures,
    indent_of,
    is_program,
    looks_like_code,
    read_names,
    without_indent,
)


_SESSIONS = (">>>", "$ ")
_MAX_BLOCKS = 32  # considered, starting with the last one


@dataclass(frozen=True, slots=True)
class ExtractedProgram:
    """
    A program and its position in a completion.

    Args:
        source (`str`): Text of the program, an unmodified slice of the completion.
        start (`int`): Index of its first character in the completion.
    """

    source: str
    start: int

    @property
    def indent(self) -> int:
        """Number of blanks by which the program is indented as a whole, as in a list item."""
        return indent_of(self.source)

    @property
    def code(self) -> str:
        """Source without that indent, which can be run; its lines are those of the source."""
        return without_indent(self.source)


def prompt_text(prompt: Any) -> str:
    """Text of a prompt; of chat messages, the text of all messages."""
    return prompt if isinstance(prompt, str) else "\n".join(filter(None, map(_message_text, prompt)))


def completion_text(completion: Any) -> str:
    """
    Last text of the assistant.

    A rollout may end with a tool message, or with a tool call without text.
    """
    if isinstance(completion, str):
        return completion
    texts = (
        _message_text(message) for message in reversed(completion) if message.get("role", "assistant") == "assistant"
    )
    return next((text for text in texts if text.strip()), "")


def _message_text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    # A message may have parts that are not text; in a dataset their `text` is `None`.
    return "".join(part if isinstance(part, str) else part.get("text") or "" for part in content)


def extract_program(completion: str) -> ExtractedProgram:
    """
    Find the program in a completion.

    Reasoning (`<think>...</think>`, with or without the opening tag) is removed first. The program is the last fenced block
    that is marked as Python, otherwise the last block without a mark that is code, otherwise the whole text. A block that
    loads a name which only an earlier block defines (asserts, an example, tests) is skipped, since it cannot run alone. A block
    that was never closed (a truncated completion) extends to the end of the text; a fence that closes a block opened in the
    prompt ends the program. If the text can be read in several ways, the reading that parses as Python is used.

    Args:
        completion (`str`): Decoded completion.

    Returns:
        [`ExtractedProgram`]: The program, unmodified; its `code` can be run.
    """
    parser = Parser(completion)
    answer = Answer(completion, parser)
    filled = [block for block in answer.blocks if not completion[block.start : block.end].isspace()]
    filled = [block for block in filled if block.start < block.end] or answer.blocks
    place = _choose(completion, filled[-_MAX_BLOCKS:], parser) if filled else answer
    return ExtractedProgram(completion[place.start : place.end], place.start)


def has_program(completion: str) -> bool:
    """Whether a text has a block of code, or is a program as a whole."""
    parser = Parser(completion)
    answer = Answer(completion, parser)
    if answer.blocks:
        return any(_is_code(completion, block, parser) for block in answer.blocks[-_MAX_BLOCKS:])
    tree = parser.parse(answer.start, answer.end)
    return tree is not None and is_program(tree)


def _choose(text: str, blocks: list[Block], parser: Parser) -> Block:
    is_code = [_is_code(text, block, parser) for block in blocks]
    last = max(range(len(blocks)), key=lambda index: (is_code[index], blocks[index].is_marked, index))
    chosen = blocks[last]
    earlier = [block for index, block in enumerate(blocks[:last]) if is_code[index]]
    if not earlier:
        return chosen
    names = read_names(text[chosen.start : chosen.end])
    # The block was truncated within its first statement.
    is_fragment = chosen.end == len(text) and parser.parse(chosen.start, chosen.end) is None and not names.defined
    for block in reversed(earlier):
        others = read_names(text[block.start : block.end])
        is_needed = bool(others.defined & names.needed) or (
            is_fragment and parser.parse(block.start, block.end) is not None
        )
        if is_needed or _repeats(text[chosen.start : chosen.end], text[block.start : block.end]):
            chosen, names, is_fragment = block, others, False
    return chosen


def _repeats(part: str, whole: str) -> bool:
    """Whether a block explains an earlier one: quotes its lines or its signatures."""
    lines, others = (f"\n{_without_blanks(source)}\n" for source in (part, whole))
    return lines != others and (lines in others or has_only_signatures(part, read_names(whole).defined))


def _without_blanks(source: str) -> str:
    return "\n".join(filter(None, map(str.strip, source.splitlines())))


def _is_code(text: str, block: Block, parser: Parser) -> bool:
    tree = parser.parse(block.start, block.end)
    if tree is not None:
        return is_program(tree)
    source = text[block.start : block.end]
    return not source.lstrip().startswith(_SESSIONS) if block.is_marked else looks_like_code(source)
