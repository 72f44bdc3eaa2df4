"""Grade one program at a time: run its tests in processes of their own and put together what they showed."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..sandbox.scratch import ScratchFolders
from ..wire.parsing import parse_error, parse_site
from . import cleanup
from .child import ChildProcess, Limits, Stop
from .files import CONNECTION, LOG, STDOUT, MemoryFiles
from .observations import TOO_LARGE_ANSWER, TOO_MUCH_OUTPUT, Grading, TimeLimits, error_of
from .program import error_site, functions
from .records import Kind, Record, RecordWriter
from .referee import judge as referee
from .referee import server as remote
from .scripts.server import ReportReader, ScriptServer, TestReport


if TYPE_CHECKING:
    from ..wire.messages import ErrorDescription, ErrorSite, ReplyHead, Request, WorkerConfig


__all__ = ["Stop", "Supervisor"]

_LOCATE_SECONDS = 2.0
# Once a test has run out of time the outcome is settled: shares of `timeout` that the other tests still get.
_LEASH, _LEASH_A_TEST = 0.25, 0.1
_PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 4, 36
_libc = ctypes.CDLL(None, use_errno=True)


class Supervisor:
    """
    Grade one program at a time.

    Args:
        control (`int`): Descriptor on which requests come; its hang-up means that the caller is gone.
        config (`dict`): `timeout`, `wall_timeout`, `program_timeout` (seconds), `memory_limit`, `output_limit` (bytes),
            `max_processes`, `scratch` (list of folders that are emptied after each process, the first of them the
            working directory), and `open_devices` (those whose times a program can set to now).
        files ([`MemoryFiles`]): Where programs read from and write to.
        is_filtered (`bool`): Whether a filter of system calls keeps programs from this process and from System V objects.
        child_setup (`Callable`): What a process does before all else, to lock itself in.
    """

    def __init__(self, control: int, config: WorkerConfig, files: MemoryFiles, is_filtered: bool, child_setup: Any):
        self._config = config
        self._files = files
        self._is_filtered = is_filtered
        self._owns_namespace = os.getpid() == 1
        if not self._owns_namespace:
            # Orphans of a program become children of this process, so that it can find and kill them.
            _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        # Keeps programs, which run as the same user, from reading this process's memory and descriptors.
        _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        self._time = TimeLimits(config)
        self._vitals = _vitals()
        self._folders = ScratchFolders(config["scratch"], config["open_devices"])
        self._child = ChildProcess(control, config, files, self._owns_namespace, child_setup)

    def grade(self, request: Request) -> ReplyHead:
        """
        Run a program on all of its tests.

        Args:
            request (`dict`): `mode`, `num_sent` (tests to run now), `num_tests` and `spent` (CPU and elapsed seconds), both of the
                whole program, and `process_per_test`. Program and tests are in sealed files.

        Returns:
            `dict`: Says of each test what `kind` of end it had, and where in the sealed file of answers its values and its
            output are.
        """
        grading = Grading(request)
        leash: float | None = None  # seconds left for the other tests once one has timed out
        while pending := grading.pending():
            limits = self._time.left(grading)
            exceeded = "total_cpu" if limits.total_cpu <= 0 else "total_wall" if limits.total_wall <= 0 else None
            if exceeded is not None and all(seen != {"kind": "timeout"} for seen in grading.observations):
                grading.observe(pending[0], "timeout", self._time.exceeded(grading, exceeded))
            if exceeded is not None or (leash is not None and leash <= 0):
                break
            batch = self._next_batch(grading, pending)
            if leash is not None:
                share = min(_LEASH_A_TEST * self._config["timeout"], leash)
                limits = Limits(*map(min, limits, (share, share, leash, leash)))
            began = time.monotonic()
            self._run(grading, batch, limits)
            if not self._clean_up():
                return _tampered(grading, "the program took away the folder for its files")
            if not grading.compiled:
                break
            if self._child.stopped is not None:
                leash = _LEASH * self._config["timeout"] if leash is None else 0.0
                if leash == 0.0:  # it had less time than a test is promised: that is no verdict
                    self._withdraw(grading, batch)
            elif leash is not None:
                leash -= time.monotonic() - began
        for name, error in (("error", grading.error), ("trailing", grading.trailing)):
            if error is not None and name not in grading.sites:
                grading.sites[name] = self._locate(error)
        if not self._is_filtered and _vitals() != self._vitals:
            return _tampered(grading, "the program changed limits or priority of the sandbox")
        return grading.reply()

    def _next_batch(self, grading: Grading, pending: list[int]) -> list[int]:
        is_alone = grading.reads_stdin and (grading.compiles_each_time or not self._is_filtered)
        return pending[:1] if is_alone else pending

    def _run(self, grading: Grading, batch: list[int], limits: Limits) -> None:
        if grading.reads_stdin:
            self._run_scripts(grading, batch, limits)
        elif grading.has_referee:
            self._run_with_referee(grading, batch, limits)
        else:
            self._run_functions(grading, batch, limits)

    def _run_functions(self, grading: Grading, batch: list[int], limits: Limits) -> None:
        sealed = self._files.program

        def body(writer: RecordWriter) -> None:
            functions.run_functions(sealed.content, batch, writer)
            os._exit(0)

        self._child.run(body, limits, len(grading.observations), prepare=sealed.open)
        self._read_records(grading, self._child.records, batch)

    def _run_scripts(self, grading: Grading, batch: list[int], limits: Limits) -> None:
        """Run a script on its next tests, in order, until it is through with them or one leaves something behind."""
        files, child = self._files, self._child
        files.start_reports(batch[0])
        runs_one = grading.compiles_each_time or not self._is_filtered

        def serve() -> None:
            grading.forget()
            del batch[:]
            ScriptServer(files, self._folders, self._config["output_limit"], runs_one, child.become_test).serve()

        child.run_server(serve, limits, ReportReader(files.progress).read)
        grading.cpu += child.cpu
        left, loaded, left_nothing = list(batch), False, True
        for report in child.records:
            match report.kind:
                case Kind.SYNTAX_ERROR:
                    grading.error, grading.compiled = parse_error(report.payload), False
                case Kind.SITE:
                    grading.sites["error"] = parse_site(report.payload)
                case Kind.LOADED:
                    loaded = True
                case Kind.DONE:
                    left_nothing = report.left_nothing
                    self._read_report(grading, left.pop(0), report)
        if not grading.compiled:
            return
        has_failed = child.stopped is not None or child.status != 0 or len(left) == len(batch)
        # What a test has left may kill the server after the last report; that is not the end of the next test.
        if left and has_failed and left_nothing:
            output, is_too_much = files.take_output(False, self._config["output_limit"])
            if is_too_much:
                grading.observe(left[0], "error", TOO_MUCH_OUTPUT)
            # What happens before the first test starts happens to all of them.
            for index in left[:1] if loaded else left:
                grading.stdout[index] = output
                self._end_of(grading, index, child.status)

    def _read_report(self, grading: Grading, index: int, report: TestReport) -> None:
        output, is_too_much = report.output, report.printed_too_much
        if not report.left_nothing:  # the output may have grown until all processes of the test were killed
            output, is_too_much = self._files.take_output(report.status == 0, self._config["output_limit"])
        grading.stdout[index] = output
        if is_too_much:
            grading.observe(index, "error", TOO_MUCH_OUTPUT)
        elif report.status == 0:
            grading.observe(index, "done")
        elif report.payload:
            grading.observe(index, "error", parse_error(report.payload))
        else:
            self._end_of(grading, index, report.status)

    def _run_with_referee(self, grading: Grading, batch: list[int], limits: Limits) -> None:
        """Run asserts that cannot be split: the tests in one process, the program that they call in another."""
        sealed = self._files

        def program(writer: RecordWriter) -> None:
            remote.serve(sealed.program.content, CONNECTION)

        def judge(writer: RecordWriter) -> None:
            referee.judge(sealed.referee.content, batch, CONNECTION, writer)

        self._child.run(
            judge,
            limits,
            len(grading.observations),
            prepare=sealed.referee.open,
            served_by=program,
            served_prepare=sealed.program.open,
            connections=remote.make_connection(),
        )
        self._read_records(grading, self._child.records, batch)

    def _read_records(self, grading: Grading, records: Sequence[Record], batch: list[int]) -> None:
        """Turn what a process reported, and how it ended, into observations."""
        child = self._child
        grading.cpu += child.cpu
        left = list(batch)  # the first of them is the one that runs
        for record in records:
            match record.kind:
                case Kind.SITE:
                    grading.sites["error" if not grading.compiled else "trailing"] = parse_site(record.payload)
                case Kind.TRAILING if grading.trailing is None:
                    grading.trailing = parse_error(record.payload)
                case Kind.SYNTAX_ERROR:
                    grading.error, grading.compiled = parse_error(record.payload), False
                case Kind.ERROR if record.test < 0:
                    for index in left:  # loading failed: that settles all tests of the process
                        grading.observe(index, "error", parse_error(record.payload))
                    left = []
                case Kind.DONE if left and record.test == left[0]:
                    grading.observe(left.pop(0), "done")
                    grading.values[record.test] = self._files.answers.append(LOG, record.offset, record.size)
                case Kind.ERROR if left and record.test == left[0]:
                    full = os.fstat(STDOUT).st_size >= self._config["output_limit"]
                    error = TOO_MUCH_OUTPUT if full else parse_error(record.payload)
                    grading.observe(left.pop(0), "error", error)
        if not grading.compiled:
            return
        self._read_output(grading, batch, left[0] if left else None)
        if left and grading.observations[left[0]] is None:
            self._end_of(grading, left[0], child.status)
        if grading.is_script:
            for index in left:  # the rest of the script has not run, and would find other variables in a new process
                grading.observe(index, "not_run")

    def _read_output(self, grading: Grading, batch: list[int], running: int | None) -> None:
        # Asserts share their output: it counts for the one that runs, or for the last.
        for index in batch[-1:] if running is None else [running]:
            grading.stdout[index], is_too_much = self._files.take_output(False, self._config["output_limit"])
            if is_too_much and all(grading.observations[other] != {"kind": "error"} for other in batch):
                grading.observations[index] = None
                grading.observe(index, "error", TOO_MUCH_OUTPUT)

    def _end_of(self, grading: Grading, index: int, status: int) -> None:
        """Say how the test ended in which its process did."""
        child = self._child
        if child.stopped == "timeout":
            grading.observe(index, "timeout", self._time.exceeded(grading, child.exceeded))
        elif child.stopped is not None:
            grading.observe(index, "error", error_of(child.stopped, "killed by the sandbox"))
        elif os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
            grading.observe(index, "error", error_of(name, "killed by a signal"))
        elif os.fstat(LOG).st_size >= self._config["output_limit"]:
            grading.observe(index, "error", TOO_LARGE_ANSWER)
        else:
            code = os.WEXITSTATUS(status)
            grading.observe(index, "error", error_of("SystemExit", f"the process ended with exit code {code}"))

    def _withdraw(self, grading: Grading, batch: list[int]) -> None:
        for index in batch:
            observation = grading.observations[index]
            if observation is not None and observation["kind"] == "timeout":
                grading.observations[index] = {"kind": "not_run"}

    def _clean_up(self) -> bool:
        """Remove what a program has left. Returns whether this worker can run another one."""
        if not self._folders.restore():
            return False
        if self._owns_namespace and not self._is_filtered:
            cleanup.remove_ipc_objects()
        return True

    def _locate(self, error: ErrorDescription) -> ErrorSite:
        """Find the place of an error in a process of its own: parsing a hostile source can crash an interpreter."""
        sealed = self._files.program

        def body(writer: RecordWriter) -> None:
            writer.send_json(Kind.SITE, -1, error_site.locate(sealed.content["source"], error))
            os._exit(0)

        if error["position"] is not None:
            limits = Limits(*(_LOCATE_SECONDS, 3 * _LOCATE_SECONDS) * 2)
            self._child.run(body, limits, 1, prepare=sealed.open)
            for record in self._child.records:
                if record.kind == Kind.SITE:
                    return parse_site(record.payload)
        return {"detail": "", "span": None, "expression_span": None}


def _tampered(grading: Grading, message: str) -> ReplyHead:
    # Limits that were lowered cannot be raised again: this worker must not grade another program.
    grading.error = error_of("TamperingError", message)
    grading.observations[:] = [{"kind": "error"} for _ in grading.observations]
    return {**grading.reply(), "retire": True}


def _vitals() -> tuple[Any, ...]:
    """What a program, which runs as the same user, could change of this process."""
    kinds = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
    limits = [resource.getrlimit(kind) for kind in kinds]
    priority = os.getpriority(os.PRIO_PROCESS, 0)
    return limits, priority, os.sched_getaffinity(0), os.sched_getscheduler(0)
