"""Compute the time that is left for a program and for each of its tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple


if TYPE_CHECKING:
    from ..wire.messages import ErrorDescription, WorkerLimits


# Elapsed seconds per CPU second that do not count: on a busy machine a process waits for its turn.
WAITING_PER_CPU_SECOND = 2.0
_ELAPSED_PER_PROGRAM_TIMEOUT = 1.5


class Limits(NamedTuple):
    """
    Seconds that are left.

    Args:
        cpu (`float`): CPU seconds of one test.
        wall (`float`): Elapsed seconds of one test.
        total_cpu (`float`): CPU seconds of all tests of the process together.
        total_wall (`float`): Elapsed seconds of all tests, without [`WAITING_PER_CPU_SECOND`].
    """

    cpu: float
    wall: float
    total_cpu: float
    total_wall: float


class TimeLimits:
    """
    The time limits of a program.

    Args:
        limits (`WorkerLimits`): `timeout`, `wall_timeout` and `program_timeout` (seconds, the last one optional).

    Attributes:
        timeout (`float`): CPU seconds per test.
    """

    def __init__(self, limits: WorkerLimits):
        self.timeout = limits["timeout"]
        self._wall_timeout = limits["wall_timeout"]
        self._program_timeout = limits["program_timeout"]

    def left(self, num_tests: int, cpu: float, wall: float) -> Limits:
        """
        Compute the seconds that a program has left.

        Args:
            num_tests (`int`): Number of its tests.
            cpu (`float`): CPU seconds that it has used.
            wall (`float`): Seconds that have elapsed.

        Returns:
            [`Limits`]: Seconds; negative where a limit is exceeded.
        """
        total_cpu, total_wall = self._totals(num_tests)
        elapsed = wall - WAITING_PER_CPU_SECOND * cpu
        return Limits(self.timeout, self._wall_timeout, total_cpu - cpu, total_wall - elapsed)

    def error(self, exceeded: str, num_tests: int) -> ErrorDescription:
        """
        Describe the error of a test that exceeded a limit.

        Args:
            exceeded (`str`): Name of a field of [`Limits`].
            num_tests (`int`): Number of tests of the program.

        Returns:
            `ErrorDescription`: The error. Its message names the argument that sets the limit.
        """
        total_cpu, total_wall = self._totals(num_tests)
        message = {
            "cpu": f"the test used more than {self.timeout:g} s of CPU time (`timeout`)",
            "wall": f"the test took longer than {self._wall_timeout:g} s (`wall_timeout`)",
            "total_cpu": f"all tests together used more than {total_cpu:g} s of CPU time (`program_timeout`)",
            "total_wall": f"all tests together took longer than {total_wall:g} s (1.5 times `program_timeout`)",
        }[exceeded]
        return {"phase": "run", "type": "TimeoutError", "message": message, "position": None}

    def _totals(self, num_tests: int) -> tuple[float, float]:
        chosen = self._program_timeout
        total_cpu = self.timeout * (num_tests + 1) if chosen is None else chosen
        return total_cpu, max(_ELAPSED_PER_PROGRAM_TIMEOUT * total_cpu, self._wall_timeout)
