"""What is known of a program while it is graded, and how much time it has."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .child import WAITING, Limits


if TYPE_CHECKING:
    from ..wire.messages import (
        CaseResult,
        EndKind,
        ErrorDescription,
        ErrorSite,
        LocatedError,
        Observation,
        ReplyHead,
        Request,
        WorkerConfig,
    )


_ELAPSED = 1.5  # times `program_timeout`


class Grading:
    """
    What is known so far of one program.

    Args:
        request (`dict`): See [`~supervisor.Supervisor.grade`].
    """

    def __init__(self, request: Request):
        self.reads_stdin = request["mode"] == "stdin"
        self.compiles_each_time = request["process_per_test"]
        self.has_referee = request["mode"] == "referee"
        # Tests that are one script: what one of them leaves in a variable is there for the next.
        self.is_script = request["mode"] in ("referee", "inside")
        count = request["num_sent"]
        self.observations: list[Observation | None] = [None] * count
        # Where they are in the file of answers, and their size.
        self.values: list[tuple[int, int]] = [(0, 0)] * count
        self.stdout: list[tuple[int, int]] = [(0, 0)] * count
        self.error: ErrorDescription | None = None
        self.trailing: ErrorDescription | None = None
        self.sites: dict[str, ErrorSite] = {}  # of the error, and of the one in trailing code
        self.compiled = True
        self.num_tests = request["num_tests"]  # of the program; some of them may have been graded before
        self.spent_cpu, self.spent_wall = request["spent"]
        self.cpu = 0.0
        self.began = time.monotonic()

    def pending(self) -> list[int]:
        """Tests of which nothing is known yet."""
        return [index for index, observation in enumerate(self.observations) if observation is None]

    def forget(self) -> None:
        """Drop all that is known; in a process that a program is forked from."""
        self.__dict__.clear()

    def observe(self, index: int, kind: EndKind, error: ErrorDescription | None = None) -> None:
        """Keep the first that is known of a test."""
        if self.observations[index] is None:
            self.observations[index] = {"kind": kind}
            if error is not None and self.error is None:
                self.error = error

    def reply(self) -> ReplyHead:
        """What the caller gets."""
        tests: list[CaseResult] = [
            {
                "kind": "not_run" if observation is None else observation["kind"],
                "values": self.values[index],
                "stdout": self.stdout[index],
            }
            for index, observation in enumerate(self.observations)
        ]
        return {
            "tests": tests,
            "error": self._located("error", self.error),
            "trailing": self._located("trailing", self.trailing),
            "compiled": self.compiled,
            "cpu": self.cpu,
            "wall": time.monotonic() - self.began,
        }

    def _located(self, name: str, error: ErrorDescription | None) -> LocatedError | None:
        if error is None:
            return None
        nowhere: ErrorSite = {"detail": "", "span": None, "expression_span": None}
        return {**error, **self.sites.get(name, nowhere)}


class TimeLimits:
    """
    The limits of time of all programs.

    Args:
        config (`dict`): `timeout`, `wall_timeout` and `program_timeout` (seconds, or `None`).
    """

    def __init__(self, config: WorkerConfig):
        self._config = config

    def left(self, grading: Grading) -> Limits:
        """Seconds that are left for a program."""
        timeout, wall_timeout = self._config["timeout"], self._config["wall_timeout"]
        total = self._program_timeout(grading)
        cpu = grading.spent_cpu + grading.cpu
        elapsed = grading.spent_wall + time.monotonic() - grading.began - WAITING * cpu
        return Limits(timeout, wall_timeout, total - cpu, max(_ELAPSED * total, wall_timeout) - elapsed)

    def _program_timeout(self, grading: Grading) -> float:
        chosen: float | None = self._config["program_timeout"]
        return self._config["timeout"] * (grading.num_tests + 1) if chosen is None else chosen

    def exceeded(self, grading: Grading, name: str) -> ErrorDescription:
        """The error of a test, or of a program, that has exceeded one of the [`Limits`]; it names the argument."""
        timeout, wall_timeout = self._config["timeout"], self._config["wall_timeout"]
        total = self._program_timeout(grading)
        elapsed = max(_ELAPSED * total, wall_timeout)
        message = {
            "cpu": f"the test used more than {timeout:g} s of CPU time (`timeout`)",
            "wall": f"the test took longer than {wall_timeout:g} s (`wall_timeout`)",
            "total_cpu": f"all tests together used more than {total:g} s of CPU time (`program_timeout`)",
            "total_wall": f"all tests together took longer than {elapsed:g} s (1.5 times `program_timeout`)",
        }[name]
        return error_of("TimeoutError", message)


def error_of(kind: str, message: str) -> ErrorDescription:
    """An error without a place, as the process of a program would describe it."""
    return {"phase": "run", "type": kind, "message": message, "position": None}


TOO_LARGE_ANSWER = error_of("OutputLimitExceeded", "the program returned more than the limit of output")
TOO_MUCH_OUTPUT = error_of("OutputLimitExceeded", "the program printed too much")
