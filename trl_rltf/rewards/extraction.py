"""Find the program in a completion, and where in the completion it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass


_FENCE = re.compile(r"^[ \t]*(?P<ticks>`{3,}|~{3,})[ \t]*(?P<language>[^\s`]*)[^\n`]*$", re.MULTILINE)
_PYTHON = {"", "py", "python", "python3"}


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


def extract_program(completion: str) -> ExtractedProgram:
    """
    Find the program: the last fenced Python block, the text after a fence that was never closed (a truncated
    completion), or else the whole completion.

    Args:
        completion (`str`): Decoded completion.

    Returns:
        [`ExtractedProgram`]: The program, unmodified.
    """
    program: ExtractedProgram | None = None
    opening: re.Match[str] | None = None
    for fence in _FENCE.finditer(completion):
        if opening is None:
            opening = fence
        elif fence["ticks"][0] == opening["ticks"][0] and not fence["language"]:
            program = _block(completion, opening, fence.start()) or program
            opening = None
    if opening is not None:
        program = _block(completion, opening, len(completion)) or program
    return program or ExtractedProgram(completion, 0)


def _block(completion: str, opening: re.Match[str], end: int) -> ExtractedProgram | None:
    if opening["language"].lower() not in _PYTHON:
        return None
    start = min(opening.end() + 1, end)
    return ExtractedProgram(completion[start:end], start)
