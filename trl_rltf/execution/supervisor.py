"""Grade one program at a time: run its tests in processes of their own and put together what they showed."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import time
from collections.abc import Sequence
from typing import Any

from . import cleanup, error_site, functions, program_process, referee, remote
from .child_process import CONNECTION, LOG, ChildProcess, Limits, MemoryFiles, Stop
from .records import Kind, Record, RecordWriter, parse_error, parse_site


__all__ = ["Stop", "Supervisor"]

_STDOUT_SAMPLE = 2000
_LOCATE_SECONDS = 2.0
_MOST_TESTS_AT_ONCE = 32
_MOST_OUTPUTS = 8  # times the limit of one test, for all tests of a program together
# Once a test has run out of time the outcome is settled: shares of `timeout` that the other tests still get.
_LEASH, _LEASH_A_TEST = 0.25, 0.1
_PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 4, 36
_libc = ctypes.CDLL(None, use_errno=True)


class _Grading:
    """What is known so far of one program."""

    def __init__(self, request: dict[str, Any]):
        self.reads_stdin = request["mode"] == "stdin"
        self.has_referee = request["mode"] == "referee"
        # Tests that are one script: what one of them leaves in a variable is there for the next.
        self.is_script = request["mode"] in ("referee", "inside")
        count = request["num_tests"]
        self.observations: list[dict[str, Any] | None] = [None] * count
        # Where they are in the file of answers, and their size.
        self.values: list[tuple[int, int]] = [(0, 0)] * count
        self.stdout: list[tuple[int, int]] = [(0, 0)] * count
        self.error: dict[str, Any] | None = None
        self.trailing: dict[str, Any] | None = None
        self.sites: dict[str, dict[str, Any]] = {}  # of the error, and of the one in trailing code
        self.compiled = True
        self.shares_process = request["share_process"]
        self.cpu = 0.0
        self.began = time.monotonic()

    def pending(self) -> list[int]:
        return [index for index, observation in enumerate(self.observations) if observation is None]

    def observe(self, index: int, kind: str, error: dict[str, Any] | None = None) -> None:
        """Keep the first that is known of a test."""
        if self.observations[index] is None:
            self.observations[index] = {"kind": kind}
            if error is not None and self.error is None:
                self.error = error

    def reply(self) -> dict[str, Any]:
        tests = []
        for index, observation in enumerate(self.observations):
            places = {"values": self.values[index], "stdout": self.stdout[index]}
            tests.append({**(observation or {"kind": "not_run"}), **places})
        error = None if self.error is None else {**self.error, **self.sites.get("error", {})}
        trailing = None if self.trailing is None else {**self.trailing, **self.sites.get("trailing", {})}
        return {
            "tests": tests,
            "error": error,
            "trailing": trailing,
            "compiled": self.compiled,
            "cpu": self.cpu,
            "wall": time.monotonic() - self.began,
        }


class Supervisor:
    """
    Grade one program at a time.

    Args:
        control (`int`): Descriptor on which requests come; its hang-up means that the caller is gone.
        config (`dict`): `timeout`, `wall_timeout`, `program_timeout` (seconds), `memory_limit`, `output_limit` (bytes),
            `max_processes`, and `scratch` (list of folders that are emptied after each process, the first of them the
            working directory).
        files ([`MemoryFiles`]): Where programs read from and write to.
        is_filtered (`bool`): Whether a filter of system calls keeps programs from this process and from System V objects.
        child_setup (`Callable`): What a process does before all else, to lock itself in.
    """

    def __init__(self, control: int, config: dict[str, Any], files: MemoryFiles, is_filtered: bool, child_setup: Any):
        self._config = config
        self._files = files
        self._is_filtered = is_filtered
        self._owns_namespace = os.getpid() == 1
        if not self._owns_namespace:
            # Orphans of a program become children of this process, so that it can find and kill them.
            _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        # Keeps programs, which run as the same user, from reading this process's memory and descriptors.
        _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        self._vitals = _vitals()
        self._child = ChildProcess(control, config, self._owns_namespace, child_setup)

    def grade(self, request: dict[str, Any]) -> dict[str, Any]:
        """
        Run a program on all of its tests.

        Args:
            request (`dict`): `mode`, `num_tests` and `share_process`. Program and tests are in sealed files.

        Returns:
            `dict`: Says of each test what `kind` of end it had, and where in the sealed file of answers its values and its
            output are.
        """
        grading = _Grading(request)
        leash: float | None = None  # seconds left for the other tests once one has timed out
        while pending := grading.pending():
            budget = self._config["program_timeout"] - grading.cpu
            if budget <= 0:
                grading.observe(pending[0], "timeout", _error("TimeoutError", "the program ran out of CPU time"))
            if budget <= 0 or (leash is not None and leash <= 0):
                break
            batch = self._next_batch(grading, pending)
            limits = Limits(min(self._config["timeout"], budget), self._config["wall_timeout"], budget)
            if leash is not None:
                share = min(_LEASH_A_TEST * self._config["timeout"], leash)
                limits = Limits(min(limits.cpu, share), min(limits.wall, share), min(budget, leash))
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

    def _next_batch(self, grading: _Grading, pending: list[int]) -> list[int]:
        if grading.reads_stdin:
            return pending[: _MOST_TESTS_AT_ONCE if grading.shares_process else 1]
        return pending

    def _run(self, grading: _Grading, batch: list[int], limits: Limits) -> None:
        if grading.has_referee:
            self._run_with_referee(grading, batch, limits)
            return
        files, sealed = self._files.take(len(batch) if grading.reads_stdin else 1), self._files

        def prepare() -> None:
            sealed.program.open()
            if grading.reads_stdin:
                sealed.fill([sealed.program.content["probes"][index]["stdin"] for index in batch])

        def body(writer: RecordWriter) -> None:
            if grading.reads_stdin:
                program_process.run_scripts(sealed.program.content["source"], batch, files, writer)
            functions.run_functions(sealed.program.content, batch, writer)
            os._exit(0)

        self._child.run(body, limits, len(grading.observations), prepare, num_files=len(files))
        outputs = dict(zip(batch, files, strict=True)) if grading.reads_stdin else dict.fromkeys(batch, files[0])
        self._read_records(grading, self._child.records, batch, outputs)
        self._files.clear(files)

    def _run_with_referee(self, grading: _Grading, batch: list[int], limits: Limits) -> None:
        """Run asserts that cannot be split: the tests in one process, the program that they call in another."""
        files, sealed = self._files.take(1), self._files

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
        self._read_records(grading, self._child.records, batch, dict.fromkeys(batch, files[0]))
        self._files.clear(files)

    def _read_records(
        self,
        grading: _Grading,
        records: Sequence[Record],
        batch: list[int],
        files: dict[int, program_process.StandardFiles],
    ) -> None:
        """Turn what a process reported, and how it ended, into observations."""
        child = self._child
        grading.cpu += child.cpu
        left = list(batch)  # the first of them is the one that runs
        alone = False
        for record in records:
            match record.kind:
                case Kind.ALONE:
                    alone = True
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
                    full = os.fstat(files[record.test].stdout).st_size >= self._config["output_limit"]
                    error = _TOO_MUCH_OUTPUT if full else parse_error(record.payload)
                    grading.observe(left.pop(0), "error", error)
        if not grading.compiled:
            return
        if alone:
            grading.shares_process = False
        self._read_output(grading, batch, files, left[0] if left else None)
        # A script that ended well may have left the rest to processes of their own; so may one that shared its process.
        ended_well = os.WIFEXITED(child.status) and os.WEXITSTATUS(child.status) == 0 and child.stopped is None
        if (
            left
            and not (grading.reads_stdin and ended_well and len(left) < len(batch))
            and grading.observations[left[0]] is None
        ):
            self._end_of(grading, left[0])
        if grading.is_script:
            for index in left:  # the rest of the script has not run, and would find other variables in a new process
                grading.observe(index, "not_run")

    def _read_output(
        self,
        grading: _Grading,
        batch: list[int],
        files: dict[int, program_process.StandardFiles],
        running: int | None,
    ) -> None:
        limit = self._config["output_limit"]
        # Asserts share their output: it counts for the one that runs, or for the last.
        for index in batch if grading.reads_stdin else batch[-1:] if running is None else [running]:
            observation = grading.observations[index]
            if observation is None and index != running:
                continue
            size = os.fstat(files[index].stdout).st_size
            if self._files.answers.size > _MOST_OUTPUTS * limit:
                size = limit  # each test kept to its limit, but all together are more than the caller should hold
            whole = grading.reads_stdin and observation is not None and observation["kind"] == "done"
            shown = min(size, limit if whole and size < limit else _STDOUT_SAMPLE)
            grading.stdout[index] = self._files.answers.append(files[index].stdout, 0, shown)
            failed = batch if not grading.reads_stdin else [index]  # one of them has been told
            if size >= limit and all(grading.observations[other] != {"kind": "error"} for other in failed):
                grading.observations[index] = None
                grading.observe(index, "error", _TOO_MUCH_OUTPUT)

    def _end_of(self, grading: _Grading, index: int) -> None:
        """Say how the test ended in which its process did."""
        child = self._child
        if child.stopped == "timeout":
            grading.observe(index, "timeout", _error("TimeoutError", "the test ran out of time"))
        elif child.stopped is not None:
            grading.observe(index, "error", _error(child.stopped, "killed by the sandbox"))
        elif os.fstat(LOG).st_size >= self._config["output_limit"]:
            grading.observe(index, "error", _TOO_LARGE_ANSWER)
        elif os.WIFSIGNALED(child.status):
            number = os.WTERMSIG(child.status)
            if number in (signal.SIGXCPU, signal.SIGKILL) and child.cpu >= self._config["timeout"]:
                grading.observe(index, "timeout", _error("TimeoutError", "the test ran out of CPU time"))
            else:
                name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
                grading.observe(index, "error", _error(name, "killed by a signal"))
        elif (code := os.WEXITSTATUS(child.status)) == 0 and grading.reads_stdin:
            # `os._exit(0)` after printing: the output speaks for itself
            grading.observe(index, "done")
        else:
            grading.observe(index, "error", _error("SystemExit", f"the process ended with exit code {code}"))

    def _withdraw(self, grading: _Grading, batch: list[int]) -> None:
        for index in batch:
            observation = grading.observations[index]
            if observation is not None and observation["kind"] == "timeout":
                grading.observations[index] = {"kind": "not_run"}

    def _clean_up(self) -> bool:
        """Remove what a program has left. Returns whether this worker can run another one."""
        scratch = self._config["scratch"]
        if not cleanup.empty_folders(scratch):
            return False
        os.chdir(scratch[0])  # without isolation, programs can remove it, and another folder is there now
        if self._owns_namespace and not self._is_filtered:
            cleanup.remove_ipc_objects()
        return True

    def _locate(self, error: dict[str, Any]) -> dict[str, Any]:
        """Find the place of an error in a process of its own: parsing a hostile source can crash an interpreter."""
        sealed = self._files.program

        def body(writer: RecordWriter) -> None:
            writer.send_json(Kind.SITE, -1, error_site.locate(sealed.content["source"], error))
            os._exit(0)

        if error["position"] is not None:
            limits = Limits(_LOCATE_SECONDS, 3 * _LOCATE_SECONDS, _LOCATE_SECONDS)
            self._child.run(body, limits, 1, prepare=sealed.open)
            for record in self._child.records:
                if record.kind == Kind.SITE:
                    return parse_site(record.payload)
        return {"detail": "", "span": None, "expression_span": None}


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"phase": "run", "type": kind, "message": message, "position": None}


_TOO_MUCH_OUTPUT = _error("OutputLimitExceeded", "the program printed too much")
_TOO_LARGE_ANSWER = _error("OutputLimitExceeded", "the program returned more than the limit of output")


def _tampered(grading: _Grading, message: str) -> dict[str, Any]:
    # Limits that were lowered cannot be raised again: this worker must not grade another program.
    grading.error = _error("TamperingError", message)
    grading.observations[:] = [{"kind": "error"} for _ in grading.observations]
    return {**grading.reply(), "retire": True}


def _vitals() -> tuple[Any, ...]:
    """What a program, which runs as the same user, could change of this process."""
    kinds = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
    limits = [resource.getrlimit(kind) for kind in kinds]
    priority = os.getpriority(os.PRIO_PROCESS, 0)
    return limits, priority, os.sched_getaffinity(0), os.sched_getscheduler(0)
