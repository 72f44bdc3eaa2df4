"""Environments in which a model writes, tests and repairs a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .visible_tests import UnitTestEnvironment as UnitTestEnvironment

__all__, __getattr__, __dir__ = lazy_names(__name__, {".visible_tests": ("UnitTestEnvironment",)})
