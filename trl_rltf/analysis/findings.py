"""Read the findings of ruff about programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ..execution import Span
from .rules import COMPILE_RULES, INVALID_SYNTAX, UNREADABLE, is_code


_MAX_MESSAGE = 200  # characters; a message quotes the program


@dataclass(frozen=True, slots=True)
class Finding:
    """
    A defect in a program.

    Args:
        rule (`str`): Code of the rule, such as `"F821"`; `"invalid-syntax"` for a program that does not compile; `"unreadable"` for
            one that is too large, or that the analyser does not survive.
        message (`str`): Description, of one line and at most 200 characters.
        span ([`~execution.Span`], *optional*): Its position in the program; `None` for `"unreadable"`.
    """

    rule: str
    message: str
    span: Span | None = None

    @property
    def ends_analysis(self) -> bool:
        """Whether nothing else can be said about the program."""
        return self.rule in (INVALID_SYNTAX, UNREADABLE)

    def __str__(self) -> str:
        place = "" if self.span is None else f"{self.span.line}: "
        return f"{place}{self.rule} {self.message}"


def read_findings(output: str, sources: list[str]) -> list[tuple[Finding, ...]]:
    """
    Read the output of ruff.

    Args:
        output (`str`): Findings in JSON, one per line. The number of a program is the name of its file.
        sources (`list[str]`): The programs.

    Returns:
        `list[tuple[Finding, ...]]`: Findings of each program, in the order of their positions. A program that does not compile has
        one finding, the first error.

    Raises:
        ValueError: If it is not such output.
    """
    found: list[list[Finding]] = [[] for _ in sources]
    for line in filter(None, output.split("\n")):  # a message may have other line breaks
        try:
            row = json.loads(line)
            index = int(PurePath(row["filename"]).stem)
            found[index].append(_finding(row, sources[index]))
        except (KeyError, TypeError, IndexError, RecursionError) as error:
            raise ValueError(f"a finding of another form: {line[:_MAX_MESSAGE]}") from error
    return [_in_order(findings) for findings in found]


def _finding(row: dict[str, Any], source: str) -> Finding:
    rule, message = row["code"], one_line(row["message"])
    if rule in COMPILE_RULES or rule is None:
        rule = INVALID_SYNTAX
    elif rule != INVALID_SYNTAX and not is_code(rule):  # an error of ruff about this file
        return Finding(UNREADABLE, message)
    first, last = row["location"], row["end_location"]
    # Ruff takes a byte order mark off, which belongs to the first line here.
    shifts = [int(source.startswith("\ufeff") and place["row"] == 1) - 1 for place in (first, last)]
    span = Span(
        line=first["row"],
        column=first["column"] + shifts[0],
        end_line=last["row"],
        end_column=last["column"] + shifts[1],
    )
    return Finding(rule, message, span)


def _in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    ordered = sorted(findings, key=lambda one: (one.span.line, one.span.column) if one.span else (0, 0))
    ends = [finding for finding in ordered if finding.ends_analysis]
    return tuple(ends[:1] or ordered)


def one_line(message: str) -> str:
    """Shorten a message to one line that can be stored."""
    text = "".join(character if character.isprintable() else "�" for character in " ".join(message.split()))
    return text if len(text) <= _MAX_MESSAGE else f"{text[: _MAX_MESSAGE - 1]}…"


def unreadable(reason: str) -> tuple[Finding, ...]:
    """Describe a program about which nothing could be found out."""
    return (Finding(UNREADABLE, reason),)
