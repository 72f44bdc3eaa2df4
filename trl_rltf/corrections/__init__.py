"""
Correct failing programs from their own beginning.

Usable without torch, tokens or a trainer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .search import Correction as Correction
    from .search import FailedProgram as FailedProgram
    from .search import find_corrections as find_corrections

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {".search": ("Correction", "FailedProgram", "find_corrections")},
)
