"""Find the program in a completion, and the tokens of its characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .program import ExtractedProgram as ExtractedProgram
    from .program import extract_program as extract_program
    from .tokens import span_tokens as span_tokens
    from .tokens import token_ranges as token_ranges

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".program": (
            "ExtractedProgram",
            "extract_program",
        ),
        ".tokens": (
            "span_tokens",
            "token_ranges",
        ),
    },
)
