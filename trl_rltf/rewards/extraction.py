"""Find the text of a completion, the program in it, and where in the completion that stands."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


_FENCE = re.compile(r"^[ \t]*(?P<ticks>`{3,}|~{3,})[ \t]*(?P<language>[^\s`]*)[^\n`]*$", re.MULTILINE)
_PYTHON = {"py", "py3", "python", "python3"}
_CODE_LINE = re.compile(
    r"\s|@|#|(?:def|class|import|from|for|while|if|try|with|return|print)\b.*[:)\w]\s*$|[\w.\[\], ]+=|[\w.]+\("
)
_DEFINED = re.compile(r"^(?:async[ \t]+def|def|class)[ \t]+(\w+)", re.MULTILINE)
_COMMENT = re.compile(r"#.*")


@dataclass(frozen=True, slots=True)
class ExtractedProgram:
    """
    A program and its place.

    Args:
        source (`str`): Program text, a slice of the completion as it stands.
        start (`int`): Index of its first character in the completion.
    """

    source: str
    start: int


def prompt_text(prompt: Any) -> str:
    """The text of a prompt; of chat messages, that of all of them."""
    return prompt if isinstance(prompt, str) else "\n".join(map(_message_text, prompt))


def completion_text(completion: Any) -> str:
    """The assistant's last text."""
    if isinstance(completion, str):
        return completion
    return _message_text(completion[-1]) if completion else ""


def _message_text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):  # of parts, some of which are text
        return "".join(part.get("text", "") for part in content)
    return content or ""


def extract_program(completion: str) -> ExtractedProgram:
    """
    Find the program: the last fenced block that is marked as Python, else the last one without a mark, else the whole
    completion. A block that uses what an earlier one defines and does not define it itself (asserts, an example, tests) is
    passed over, for it cannot run alone. A fence that was never closed (a truncated completion) holds what follows it; one
    that closes a block opened in the prompt ends the program.

    Args:
        completion (`str`): Decoded completion.

    Returns:
        [`ExtractedProgram`]: The program, unmodified.
    """
    blocks: list[tuple[ExtractedProgram, bool]] = []  # and whether it is marked as Python
    opening: re.Match[str] | None = None
    fences = list(_FENCE.finditer(completion))
    if fences and not fences[0]["language"] and _closes_the_prompt(completion[: fences[0].start()]):
        blocks.append((ExtractedProgram(completion[: fences[0].start()], 0), False))
        fences = fences[1:]

    def close(end: int) -> None:
        assert opening is not None
        start = min(opening.end() + 1, end)
        language = opening["language"].lower()
        if language in _PYTHON or not language:
            blocks.append((ExtractedProgram(completion[start:end], start), bool(language)))

    for fence in fences:
        if opening is None:
            opening = fence
        elif fence["ticks"][0] == opening["ticks"][0] and not fence["language"]:
            close(fence.start())
            opening = None
    if opening is not None:
        close(len(completion))
    return _chosen(blocks) or ExtractedProgram(completion, 0)


def _chosen(blocks: list[tuple[ExtractedProgram, bool]]) -> ExtractedProgram | None:
    last = max(range(len(blocks)), key=lambda index: (blocks[index][1], index), default=None)
    if last is None:
        return None
    chosen = blocks[last][0]
    for block, _ in reversed(blocks[:last]):
        missing = _definitions(block.source) - _definitions(chosen.source)
        if missing & set(re.findall(r"\w+", _COMMENT.sub("", chosen.source))):
            chosen = block
    return chosen


def _definitions(source: str) -> set[str]:
    """Names of the functions and classes that a block defines, wherever it is indented to."""
    return set(_DEFINED.findall(textwrap.dedent(source)))


def _closes_the_prompt(before: str) -> bool:
    """Whether the text before the first fence is code: then the prompt has opened the block that this fence closes."""
    lines = before.strip().splitlines()
    return bool(lines) and all(_CODE_LINE.match(line) for line in (lines[0], lines[-1]))
