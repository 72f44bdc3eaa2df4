"""Describe the rows that a loader leaves out or renames."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class RowNotice:
    """
    A row that [`load_benchmark`] leaves out or renames.

    Args:
        kind (`str`): `"malformed"`, `"left_out"` for a row that cannot be graded or has a known flaw, or `"renamed"` for a row
            with the name of an earlier one.
        where (`str`): File and line, or dataset and row; for `"renamed"` the new `problem_id`.
        reason (`str`): Why. Rows with equal reasons are counted together.
        message (`str`, *optional*, defaults to `""`): What is malformed.
    """

    kind: Literal["malformed", "left_out", "renamed"]
    where: str
    reason: str
    message: str = ""


def summarize_notices(notices: Iterable[RowNotice]) -> str:
    """Count the rows that are left out, by reason; empty if there is none."""
    rows = defaultdict(list)
    for notice in notices:
        if notice.kind != "renamed":
            rows[notice.reason].append(notice.where)
    return "; ".join(f"{len(found)} {reason} ({_first(found)})" for reason, found in rows.items())


def _first(rows: list[str]) -> str:
    return ", ".join(rows[:3]) + (", ..." if len(rows) > 3 else "")
