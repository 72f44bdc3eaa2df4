"""What can end the grading of a batch; what a program does cannot, it is in the program's report."""

#    KeyboardInterrupt
#     └── GradingInterrupted
#    RuntimeError
#     └── SandboxError

from __future__ import annotations

from collections.abc import Sequence

from .report import ExecutionReport
from .sandbox.isolation import SandboxError


__all__ = ["GradingInterrupted", "SandboxError"]


class GradingInterrupted(KeyboardInterrupt):
    """
    Ctrl-C came in the middle of a batch.

    Args:
        reports (`Sequence[ExecutionReport]`): One report a program; `NOT_GRADABLE` for those that had not been graded.
    """

    def __init__(self, reports: Sequence[ExecutionReport]):
        super().__init__()
        self.reports = list(reports)
