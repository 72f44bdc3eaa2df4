"""Grade one program at a time: run its tests in child processes, within limits."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..sandbox.libc import PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, prctl
from ..sandbox.scratch import ScratchFolders
from ..wire.parsing import parse_site
from .child import ChildProcess, ChildResult, ChildTask
from .cleanup import remove_ipc_objects
from .files import LOG, REFEREE_FDS, STDOUT, MemoryFiles
from .observations import NOWHERE, TOO_MUCH_OUTPUT, Observations, error_of, error_of_end
from .program.error_site import locate
from .program.functions import run_functions
from .records import RecordKind, RecordWriter
from .referee.judge import judge
from .referee.program_server import make_pipes, serve_program
from .scripts.fork_server import ReportReader, ScriptServer, ServerReport
from .time_limits import Limits, TimeLimits


if TYPE_CHECKING:
    from ..wire.messages import EndKind, ErrorDescription, ErrorSite, ReplyHead, Request, WorkerConfig, WorkerLimits


_LOCATE_SECONDS = 2.0
# Once a test has timed out the outcome is settled. The other tests together, and each of them, get these shares of `timeout`.
_BUDGET_AFTER_TIMEOUT, _BUDGET_PER_TEST = 0.25, 0.1


class Supervisor:
    """
    Grade one program at a time.

    Args:
        control (`int`): Descriptor on which requests come; its hang-up means that the caller is gone.
        config (`WorkerConfig`): Sandbox of all programs, and limits of those that have no others.
        files ([`~execution.worker.files.MemoryFiles`]): The files that programs read from and write to.
        is_filtered (`bool`): Whether a filter of system calls keeps programs from this process and from System V objects.
        child_setup (`Callable`): Locks in the process of a program, before anything else.
    """

    def __init__(
        self,
        control: int,
        config: WorkerConfig,
        files: MemoryFiles,
        is_filtered: bool,
        child_setup: Callable[[], None],
    ):
        self._limits: WorkerLimits = config
        self._output_limit = config["output_limit"]
        self._files = files
        self._is_filtered = is_filtered
        self._owns_namespace = os.getpid() == 1
        if not self._owns_namespace:
            # Orphans of a program become children of this process, so that it can find and kill them.
            prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        # Keeps programs, which run as the same user, from reading this process's memory and descriptors.
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        self._time = TimeLimits(config)
        self._resources = _resource_state()
        self._folders = ScratchFolders(config["scratch"], config["open_devices"])
        self._child = ChildProcess(control, config, files, self._owns_namespace, child_setup)

    def grade(self, request: Request) -> ReplyHead:
        """
        Run a program on the tests of a request.

        Args:
            request (`Request`): How many tests to run, and how. The program and the tests are in the memory files.

        Returns:
            `ReplyHead`: How each test ended, and where in the file of answers its values and its output are.

        Raises:
            CallerGone: If the caller hangs up meanwhile.
        """
        limits_of_program: WorkerLimits = {**self._limits, **request["limits"]}
        self._time = TimeLimits(limits_of_program)
        self._child.bound_memory(limits_of_program["memory_limit"])
        seen = Observations(request)
        budget: float | None = None  # seconds for the other tests, once one has timed out
        while pending := seen.pending():
            limits = self._time.left(seen.num_tests, seen.total_cpu, seen.total_wall)
            exceeded = "total_cpu" if limits.total_cpu <= 0 else "total_wall" if limits.total_wall <= 0 else None
            if exceeded is not None and "timeout" not in seen.kinds:
                seen.observe(pending[0], "timeout", self._time.error(exceeded, seen.num_tests))
            if exceeded is not None or (budget is not None and budget <= 0):
                break
            batch = pending[:1] if seen.reads_stdin and self._runs_one_test(seen) else pending
            if budget is not None:
                per_test = min(_BUDGET_PER_TEST * self._time.timeout, budget)
                limits = Limits(*map(min, limits, (per_test, per_test, budget, budget)))
            began = time.monotonic()
            stopped = self._run(seen, batch, limits)
            if not self._clean_up():
                return _tampered(seen, "the program took away the folder for its files")
            if not seen.compiled:
                break
            if stopped is not None:
                budget = _BUDGET_AFTER_TIMEOUT * self._time.timeout if budget is None else 0.0
                if budget == 0.0:
                    seen.withdraw_timeouts(batch)
            elif budget is not None:
                budget -= time.monotonic() - began
        for name, error in (("error", seen.error), ("trailing", seen.trailing)):
            if error is not None and name not in seen.sites:
                seen.sites[name] = self._locate(error)
            if error is not None and error["type"] == "MemoryError" and not error["message"]:
                error["message"] = f"a process may use {limits_of_program['memory_limit']} bytes (`memory_limit`)"
        if not self._is_filtered and _resource_state() != self._resources:
            return _tampered(seen, "the program changed limits or priority of the sandbox")
        return seen.reply()

    def _runs_one_test(self, seen: Observations) -> bool:
        return seen.compiles_each_time or not self._is_filtered

    def _run(self, seen: Observations, batch: list[int], limits: Limits) -> str | None:
        """Run some tests; returns why their process was stopped, if it was."""
        if seen.reads_stdin:
            return self._run_scripts(seen, batch, limits)
        return self._run_functions(seen, batch, limits)

    def _run_functions(self, seen: Observations, batch: list[int], limits: Limits) -> str | None:
        files = self._files
        main, partner = self._referee_tasks(batch) if seen.has_referee else (self._function_task(batch), None)
        result = self._child.run(main, limits, len(seen.kinds), partner)
        seen.add_usage(result)
        is_output_full = os.fstat(STDOUT).st_size >= self._output_limit
        left, values = seen.add_records(result.records, batch, is_output_full)
        if values:
            # In one call, with the few other bytes in between.
            places = list(values.values())
            first, end = places[0][0], sum(places[-1])
            began, num_moved = files.answers.append(LOG, first, end - first)
            for index, (offset, size) in values.items():
                seen.values[index] = began + offset - first, max(0, min(size, num_moved - (offset - first)))
        if seen.compiled:
            output, is_too_much = files.move_output(False, self._output_limit)
            seen.stdout[left[0] if left else batch[-1]] = output
            seen.add_end(batch, left, is_too_much, result.status, lambda status: self._end(seen, result, status))
        return result.stopped

    def _function_task(self, batch: list[int]) -> ChildTask:
        program = self._files.program

        def run(writer: RecordWriter) -> None:
            run_functions(program.content, batch, writer)
            os._exit(0)

        return ChildTask(run, program.open)

    def _referee_tasks(self, batch: list[int]) -> tuple[ChildTask, ChildTask]:
        """
        Make the tasks for asserts that cannot be split.

        The tests run in one process, and the program that they call in another.
        """
        program, tests = self._files.program, self._files.tests
        judge_pipes, program_pipes = make_pipes()

        def run_judge(writer: RecordWriter) -> None:
            judge(tests.content, batch, REFEREE_FDS, writer)

        def run_program(writer: RecordWriter) -> None:
            serve_program(program.content, REFEREE_FDS)

        return ChildTask(run_judge, tests.open, judge_pipes), ChildTask(run_program, program.open, program_pipes)

    def _run_scripts(self, seen: Observations, batch: list[int], limits: Limits) -> str | None:
        """Run a script on its next tests, until its server stops."""
        files = self._files
        files.start_reports(batch[0])
        runs_one = self._runs_one_test(seen)

        def serve() -> None:
            seen.forget()
            del batch[:]
            ScriptServer(files, self._folders, self._output_limit, runs_one, self._child.become_program).serve()

        result = self._child.run_server(serve, limits, ReportReader(files.progress).read)
        seen.add_usage(result)

        reports = [self._with_output(report) for report in result.records]
        # A test whose end was reported is not the one that was stopped.
        reported = result._replace(stopped=None)
        left = seen.add_reports(reports, batch, lambda status: self._end(seen, reported, status))
        if not seen.compiled:
            return result.stopped
        has_failed = result.stopped is not None or result.status != 0 or len(left) == len(batch)
        left_nothing = all(report.left_nothing for report in reports)
        # A process that a test has left may kill the server after the last report. That does not end the next test.
        if left and has_failed and left_nothing:
            output, is_too_much = files.move_output(False, self._output_limit)
            if is_too_much:
                seen.observe(left[0], "error", TOO_MUCH_OUTPUT)
            is_loaded = any(report.kind == RecordKind.LOADED for report in reports)
            # An end before the first test starts is the end of all tests.
            for index in left[:1] if is_loaded else left:
                seen.stdout[index] = output
                seen.observe(index, *self._end(seen, result, result.status))
        return result.stopped

    def _with_output(self, report: ServerReport) -> ServerReport:
        """Move the output of a test to the answers, where its server could not yet do so."""
        if report.left_nothing:
            return report
        # The output may have grown until all processes of the test were killed.
        output, is_too_much = self._files.move_output(report.status == 0, self._output_limit)
        return report._replace(output=output, printed_too_much=is_too_much)

    def _end(self, seen: Observations, result: ChildResult, status: int) -> tuple[EndKind, ErrorDescription]:
        """Return kind and error of a test that reported nothing."""
        if result.stopped == "timeout":
            return "timeout", self._time.error(result.exceeded, seen.num_tests)
        is_log_full = os.fstat(LOG).st_size >= self._output_limit
        return "error", error_of_end(result.stopped, status, is_log_full)

    def _clean_up(self) -> bool:
        """Remove what a program has left. Returns whether this worker can run another one."""
        if not self._folders.restore():
            return False
        if self._owns_namespace and not self._is_filtered:
            remove_ipc_objects()
        return True

    def _locate(self, error: ErrorDescription) -> ErrorSite:
        """Find the place of an error, in a child: a hostile source can crash the parser."""
        program = self._files.program

        def run(writer: RecordWriter) -> None:
            writer.send_json(RecordKind.SITE, -1, locate(program.content["source"], error))
            os._exit(0)

        if error["position"] is not None:
            limits = Limits(*(_LOCATE_SECONDS, 3 * _LOCATE_SECONDS) * 2)
            result = self._child.run(ChildTask(run, program.open), limits, num_tests=1)
            for record in result.records:
                if record.kind == RecordKind.SITE:
                    return parse_site(record.payload)
        return NOWHERE


def _tampered(seen: Observations, message: str) -> ReplyHead:
    # Limits that were lowered cannot be raised again: this worker must not grade another program.
    seen.error = error_of("TamperingError", message)
    seen.kinds[:] = ["error"] * len(seen.kinds)
    return {**seen.reply(), "retire": True}


def _resource_state() -> tuple[Any, ...]:
    """Read the state of this process that a program of the same user could change."""
    kinds = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
    limits = [resource.getrlimit(kind) for kind in kinds]
    priority = os.getpriority(os.PRIO_PROCESS, 0)
    return limits, priority, os.sched_getaffinity(0), os.sched_getscheduler(0)
