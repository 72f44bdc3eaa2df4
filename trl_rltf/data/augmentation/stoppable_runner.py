"""Run programs until the caller stops, so that threads end soon after it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ...execution import ExecutionReport, Program, Runner


class Stopped(Exception):
    """The caller asks for no more results."""


class StoppableRunner:
    """
    A runner that starts nothing after the caller has stopped.

    Args:
        runner ([`~execution.Runner`]): Grades the programs.
    """

    def __init__(self, runner: Runner):
        self._runner = runner
        self._is_stopped = threading.Event()

    def stop(self) -> None:
        """Refuse all later calls of `run`."""
        self._is_stopped.set()

    def run(self, programs: Sequence[Program]) -> list[ExecutionReport]:
        """
        Grade programs, as the runner does.

        Args:
            programs (`Sequence[Program]`): The programs.

        Returns:
            `list[ExecutionReport]`: One report per program.

        Raises:
            Stopped: After `stop`.
        """
        if self._is_stopped.is_set():
            raise Stopped
        return self._runner.run(programs)
