"""
Grade programs on the nodes of a Ray cluster.

Ray is an optional dependency: `pip install "trl-rltf[ray]"`. It is imported when a runner is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazy_names


if TYPE_CHECKING:
    from .runner import RayRunner as RayRunner

__all__, __getattr__, __dir__ = lazy_names(__name__, {".runner": ("RayRunner",)})
