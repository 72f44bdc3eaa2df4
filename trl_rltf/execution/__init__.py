"""Run model-written programs against unit tests in sandboxed processes; usable without torch, tokens or a trainer."""

from .report import ExecutionReport, Outcome, Span, Verdict
from .runner import LocalRunner, Program, Runner
from .sandbox import Isolation
from .tests import UnitTest, parse_tests


__all__ = [
    "ExecutionReport",
    "Isolation",
    "LocalRunner",
    "Outcome",
    "Program",
    "Runner",
    "Span",
    "UnitTest",
    "Verdict",
    "parse_tests",
]
