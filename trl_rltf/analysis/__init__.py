"""
Find defects in programs without running them.

Ruff is an optional dependency: `pip install "trl-rltf[analysis]"`. It is looked for when an analyser is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .findings import Finding as Finding
    from .ruff_analyser import AnalysisError as AnalysisError
    from .ruff_analyser import RuffAnalyser as RuffAnalyser
    from .rules import DEFAULT_RULES as DEFAULT_RULES

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".findings": ("Finding",),
        ".ruff_analyser": (
            "AnalysisError",
            "RuffAnalyser",
        ),
        ".rules": ("DEFAULT_RULES",),
    },
)
