"""
Errors that end a batch.

    KeyboardInterrupt
     └── GradingInterrupted
    RuntimeError
     └── SandboxError

The behaviour of a program never raises one of these errors; it is described in the program's report.
"""

from __future__ import annotations

from collections.abc import Sequence

from .report import ExecutionReport
from .sandbox.isolation import SandboxError


__all__ = ["GradingInterrupted", "SandboxError"]


class GradingInterrupted(KeyboardInterrupt):
    """
    Ctrl-C arrived while a batch was graded.

    Args:
        reports (`Sequence[ExecutionReport]`): One report per program; `NOT_GRADABLE` for the programs that were not graded.
    """

    def __init__(self, reports: Sequence[ExecutionReport]):
        super().__init__()
        self.reports = list(reports)

    def __reduce__(self) -> tuple[type[GradingInterrupted], tuple[list[ExecutionReport]]]:
        # It has no `args`, from which exceptions are made again in another process: these would be its text.
        return type(self), (self.reports,)
