"""Run model-written programs against unit tests in sandboxed processes; usable without torch, tokens or a trainer."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any


# Imported when they are used: a worker is a module of this package too, and each forked process pays for what it holds.
_HOMES = {
    "ExecutionReport": "report",
    "GradingInterrupted": "errors",
    "Isolation": "sandbox",
    "LocalRunner": "runner",
    "Outcome": "report",
    "Program": "runner",
    "Runner": "runner",
    "SandboxError": "errors",
    "Span": "report",
    "UnitTest": "unit_test",
    "Verdict": "report",
    "parse_tests": "tests",
}

if TYPE_CHECKING:
    from .errors import GradingInterrupted, SandboxError
    from .report import ExecutionReport, Outcome, Span, Verdict
    from .runner import LocalRunner, Program, Runner
    from .sandbox import Isolation
    from .tests import parse_tests
    from .unit_test import UnitTest

__all__ = [
    "ExecutionReport",
    "GradingInterrupted",
    "Isolation",
    "LocalRunner",
    "Outcome",
    "Program",
    "Runner",
    "SandboxError",
    "Span",
    "UnitTest",
    "Verdict",
    "parse_tests",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
