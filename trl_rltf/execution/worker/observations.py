"""Collect what each test of one program showed, from records and exit statuses."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ..wire.parsing import parse_error, parse_site
from .records import Record, RecordKind


if TYPE_CHECKING:
    from ..wire.messages import CaseResult, EndKind, ErrorDescription, ErrorSite, LocatedError, ReplyHead, Request
    from .child import ChildResult
    from .scripts.fork_server import ServerReport

    # Kind and error of a test that reported nothing, from the status of its process.
    EndOf = Callable[[int], tuple[EndKind, ErrorDescription]]


class Observations:
    """
    All that is known so far of one program.

    Args:
        request (`Request`): The order to run its tests.

    Attributes:
        kinds (`list`): Per test, how it ended: `"done"`, `"error"`, `"timeout"` or `"not_run"`; `None` as long as this is
            not known.
        values (`list[tuple[int, int]]`): Per test, place and size of its values in the file of answers.
        stdout (`list[tuple[int, int]]`): Per test, place and size of its output in that file.
        error (`ErrorDescription` or `None`): The first error.
        trailing (`ErrorDescription` or `None`): The error in trailing code, see
            [`~execution.report.ExecutionReport`].
        sites (`dict[str, ErrorSite]`): The places of the `"error"` and of the `"trailing"` error, once they are known.
        compiled (`bool`): Whether the program compiles.
        cpu (`float`): CPU seconds that the program has used for this request.
        memory (`int`): Bytes of resident memory at the peak of its largest process.
    """

    def __init__(self, request: Request):
        self.reads_stdin = request["mode"] == "stdin"
        self.compiles_each_time = request["process_per_test"]
        self.has_referee = request["mode"] == "referee"
        # Tests that are one script: a test may use the variables of earlier tests.
        self.is_script = request["mode"] in ("referee", "inside")
        count = request["num_sent"]
        self.kinds: list[EndKind | None] = [None] * count
        self.values: list[tuple[int, int]] = [(0, 0)] * count
        self.stdout: list[tuple[int, int]] = [(0, 0)] * count
        self.error: ErrorDescription | None = None
        self.trailing: ErrorDescription | None = None
        self.sites: dict[str, ErrorSite] = {}
        self.compiled = True
        self.num_tests = request["num_tests"]  # of the program; some of them may have been graded before
        self.cpu = 0.0
        self.memory = 0
        self._spent_cpu, self._spent_wall = request["spent"]
        self._began = time.monotonic()

    @property
    def total_cpu(self) -> float:
        """CPU seconds that the program has used, earlier requests included."""
        return self._spent_cpu + self.cpu

    @property
    def total_wall(self) -> float:
        """Seconds that have elapsed, those of earlier requests included."""
        return self._spent_wall + time.monotonic() - self._began

    def add_usage(self, result: ChildResult) -> None:
        """Add the time and the memory of a process."""
        self.cpu += result.cpu
        self.memory = max(self.memory, result.memory)

    def pending(self) -> list[int]:
        """List the tests of which nothing is known yet."""
        return [index for index, kind in enumerate(self.kinds) if kind is None]

    def forget(self) -> None:
        """Drop all that is known; in a process that a program is forked from."""
        self.__dict__.clear()

    def observe(self, index: int, kind: EndKind, error: ErrorDescription | None = None) -> None:
        """Keep the first end that is known of a test, and the first error."""
        if self.kinds[index] is None:
            self.kinds[index] = kind
            if error is not None and self.error is None:
                self.error = error

    def withdraw_timeouts(self, batch: Iterable[int]) -> None:
        """
        Count tests that timed out as not run.

        For tests that had less time than a test is promised.

        Args:
            batch (`Iterable[int]`): The tests.
        """
        for index in batch:
            if self.kinds[index] == "timeout":
                self.kinds[index] = "not_run"

    def add_records(
        self, records: Iterable[Record], batch: Sequence[int], is_output_full: bool
    ) -> tuple[list[int], dict[int, tuple[int, int]]]:
        """
        Add the records of a process that ran tests of functions.

        Args:
            records (`Iterable[Record]`): The records, in order.
            batch (`Sequence[int]`): The tests of the process, in order.
            is_output_full (`bool`): Whether the process printed as much as it may.

        Returns:
            `tuple[list[int], dict[int, tuple[int, int]]]`: The tests whose end was not reported, of which the first one ran
            last; and of each test that is done, place and size of its values in the log.
        """
        left, values = list(batch), {}
        for record in records:
            match record.kind:
                case RecordKind.SITE:
                    self.sites["trailing" if self.compiled else "error"] = parse_site(record.payload)
                case RecordKind.TRAILING if self.trailing is None:
                    self.trailing = parse_error(record.payload)
                case RecordKind.SYNTAX_ERROR:
                    self.error, self.compiled = parse_error(record.payload), False
                case RecordKind.ERROR if record.test < 0:
                    for index in left:  # loading failed: that settles all tests of the process
                        self.observe(index, "error", parse_error(record.payload))
                    left = []
                case RecordKind.DONE if left and record.test == left[0]:
                    self.observe(left.pop(0), "done")
                    values[record.test] = record.offset, record.size
                case RecordKind.ERROR if left and record.test == left[0]:
                    error = TOO_MUCH_OUTPUT if is_output_full else parse_error(record.payload)
                    self.observe(left.pop(0), "error", error)
        return left, values

    def add_end(
        self, batch: Sequence[int], left: Sequence[int], is_output_too_much: bool, status: int, end: EndOf
    ) -> None:
        """
        Add the end of that process.

        Args:
            batch (`Sequence[int]`): The tests of the process, in order.
            left (`Sequence[int]`): Those whose end it did not report.
            is_output_too_much (`bool`): Whether it printed too much.
            status (`int`): Its status, as `os.wait` returns it.
            end (`Callable`): Returns kind and error of a test that reported nothing, from the status of its process.
        """
        # Tests of functions share their output: it counts for the test that ran last.
        last = left[0] if left else batch[-1]
        if is_output_too_much and all(self.kinds[index] != "error" for index in batch):
            self.kinds[last] = None
            self.observe(last, "error", TOO_MUCH_OUTPUT)
        if left:
            self.observe(left[0], *end(status))
        if self.is_script:
            for index in left:  # the rest of the script has not run, and would find other variables in a new process
                self.observe(index, "not_run")

    def add_reports(self, reports: Iterable[ServerReport], batch: Sequence[int], end: EndOf) -> list[int]:
        """
        Add the reports of the server of a script.

        Args:
            reports (`Iterable[ServerReport]`): The reports, in order.
            batch (`Sequence[int]`): The tests that the server was to run, in order.
            end (`Callable`): Returns kind and error of a test that reported nothing, from the status of its process.

        Returns:
            `list[int]`: The tests whose end was not reported.
        """
        left = list(batch)
        for report in reports:
            match report.kind:
                case RecordKind.SYNTAX_ERROR:
                    self.error, self.compiled = parse_error(report.payload), False
                case RecordKind.SITE:
                    self.sites["error"] = parse_site(report.payload)
                case RecordKind.DONE:
                    index = left.pop(0)
                    self.stdout[index] = report.output
                    if report.printed_too_much:
                        self.observe(index, "error", TOO_MUCH_OUTPUT)
                    elif report.status == 0:
                        self.observe(index, "done")
                    elif report.payload:
                        self.observe(index, "error", parse_error(report.payload))
                    else:
                        self.observe(index, *end(report.status))
        return left

    def reply(self) -> ReplyHead:
        """Put together the answer to the request."""
        tests: list[CaseResult] = [
            {"kind": kind or "not_run", "values": values, "stdout": stdout}
            for kind, values, stdout in zip(self.kinds, self.values, self.stdout, strict=True)
        ]
        return {
            "tests": tests,
            "error": self._located("error", self.error),
            "trailing": self._located("trailing", self.trailing),
            "compiled": self.compiled,
            "cpu": self.cpu,
            "memory": self.memory,
            "wall": time.monotonic() - self._began,
        }

    def _located(self, name: str, error: ErrorDescription | None) -> LocatedError | None:
        return None if error is None else {**error, **self.sites.get(name, NOWHERE)}


def error_of(kind: str, message: str) -> ErrorDescription:
    """Make an error without a place, in the form of those that programs report."""
    return {"phase": "run", "type": kind, "message": message, "position": None}


def error_of_end(stopped: str | None, status: int, is_log_full: bool) -> ErrorDescription:
    """
    Describe the end of a process that did not report its last test.

    Args:
        stopped (`str` or `None`): Why it was killed from outside.
        status (`int`): Its status, as `os.wait` returns it.
        is_log_full (`bool`): Whether its log has as many bytes as a file may have.

    Returns:
        `ErrorDescription`: The error of its last test.
    """
    if stopped is not None:
        return error_of(stopped, "killed by the sandbox")
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        return error_of(name, "killed by a signal")
    if is_log_full:
        return TOO_LARGE_ANSWER
    return error_of("SystemExit", f"the process ended with exit code {os.WEXITSTATUS(status)}")


TOO_LARGE_ANSWER = error_of("OutputLimitExceeded", "the program returned more than the limit of output")
TOO_MUCH_OUTPUT = error_of("OutputLimitExceeded", "the program printed too much")
NOWHERE: ErrorSite = {"detail": "", "span": None, "expression_span": None}
