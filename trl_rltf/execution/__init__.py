"""
Run model-written programs against unit tests in sandboxed processes.

Usable without torch, tokens or a trainer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .described_report import report_text as report_text
    from .errors import GradingInterrupted as GradingInterrupted
    from .errors import SandboxError as SandboxError
    from .program import Program as Program
    from .program import Runner as Runner
    from .report import ExecutionReport as ExecutionReport
    from .report import FirstFailure as FirstFailure
    from .report import Outcome as Outcome
    from .report import Span as Span
    from .report import Verdict as Verdict
    from .runner import LocalRunner as LocalRunner
    from .sandbox.isolation import Isolation as Isolation
    from .unit_tests.formats import parse_tests as parse_tests
    from .unit_tests.unit_test import UnitTest as UnitTest

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".described_report": ("report_text",),
        ".errors": (
            "GradingInterrupted",
            "SandboxError",
        ),
        ".program": (
            "Program",
            "Runner",
        ),
        ".report": (
            "ExecutionReport",
            "FirstFailure",
            "Outcome",
            "Span",
            "Verdict",
        ),
        ".runner": ("LocalRunner",),
        ".sandbox.isolation": ("Isolation",),
        ".unit_tests.formats": ("parse_tests",),
        ".unit_tests.unit_test": ("UnitTest",),
    },
)
