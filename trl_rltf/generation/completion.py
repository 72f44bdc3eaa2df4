"""The text of a completion, and whether it was cut at the length limit."""

from __future__ import annotations

from typing import Self


class Completion(str):
    """
    Text that a model generated.

    Args:
        text (`str`): The text.
        is_clipped (`bool`, *optional*, defaults to `False`): Whether the length limit ended it, and not an end token or a stop
            string.
    """

    is_clipped: bool

    def __new__(cls, text: str, is_clipped: bool = False) -> Self:
        self = super().__new__(cls, text)
        self.is_clipped = is_clipped
        return self
