"""A completion as an evaluation gets it: its text, and whether the model had come to its end."""

from __future__ import annotations

from typing import Self


class Completion(str):
    """
    A text that a model has written.

    Args:
        text (`str`): The text.
        is_clipped (`bool`, *optional*, defaults to `False`): Whether it ends because it has the number of tokens that a
            completion may have, and not at an end token or a stop string.
    """

    is_clipped: bool

    def __new__(cls, text: str, is_clipped: bool = False) -> Self:
        self = super().__new__(cls, text)
        self.is_clipped = is_clipped
        return self
