"""Check the settings of corrections."""

from __future__ import annotations

from typing import Any, Literal, get_args


CorrectionTarget = Literal["continuation", "program", "solution"]


def check_correction_settings(share: Any, target: Any) -> None:
    """
    Check the settings of corrections.

    Args:
        share (`float`): Share of the rows of the cross entropy that are corrections.
        target (`str`): Part of a correction that is in the loss.

    Raises:
        ValueError: If a value is out of range.
    """
    if type(share) not in (int, float) or not 0 <= share <= 1:
        raise ValueError(f"`correction_share` is {share!r}, but must be between 0 (no corrections) and 1.")
    if target not in get_args(CorrectionTarget):
        choices = ", ".join(map(repr, get_args(CorrectionTarget)))
        raise ValueError(f"`correction_target` is {target!r}, but must be one of {choices}.")
