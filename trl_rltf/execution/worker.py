"""A small process that starts programs, watches their time, and leaves nothing behind: `python -m trl_rltf.execution.worker`."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import json
import os
import resource
import select
import signal
import struct
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from . import cleanup, error_site, program_process
from .records import MAX_BYTES, parse_record


HEADER = struct.Struct("!I")
_STDOUT_SAMPLE = 2000
_CHECK_INTERVAL = 0.1  # seconds between looks at the number of processes
_LOCATE_SECONDS = 2.0
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 1, 4, 36
_libc = ctypes.CDLL(None, use_errno=True)


def read_frame(descriptor: int) -> bytes | None:
    """Read one length-prefixed frame; `None` when the other side is gone."""
    header = _read_exactly(descriptor, HEADER.size)
    return None if header is None else _read_exactly(descriptor, HEADER.unpack(header)[0])


def _read_exactly(descriptor: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(descriptor, min(size, 2**20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def frame(message: Any) -> bytes:
    """Encode a message as one length-prefixed frame of JSON."""
    data = json.dumps(message).encode()
    return HEADER.pack(len(data)) + data


def _vitals() -> tuple[Any, ...]:
    """What a program, which runs as the same user, could change of this process."""
    kinds = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
    limits = [resource.getrlimit(kind) for kind in kinds]
    priority = os.getpriority(os.PRIO_PROCESS, 0)
    return limits, priority, os.sched_getaffinity(0), os.sched_getscheduler(0)


class _Stop(Exception):
    """The parent is gone."""


class _Child:
    """What one forked process has reported and how it ended."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.stopped: str | None = None  # why the supervisor killed it
        self.status = 0
        self.cpu = 0.0
        self.wall = 0.0
        self.stdout = b""
        self.stdout_size = 0


class Supervisor:
    """
    Grade one program at a time.

    Args:
        control (`int`): Descriptor on which requests come; its hang-up means that the parent is gone.
        config (`dict`): `timeout` and `wall_timeout` (seconds a test), `memory_limit` and `output_limit` (bytes),
            `max_processes`, `max_open_files`, and `scratch` (list of folders that are emptied after each program, the
            first of them the working directory).
    """

    def __init__(self, control: int, config: dict[str, Any]):
        self._control = control
        self._config = config
        self._scratch = config["scratch"]
        self._owns_namespace = os.getpid() == 1
        if not self._owns_namespace:
            # Orphans of a program become children of this process, so that it can find and kill them.
            _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        # Keeps programs, which run as the same user, from reading this process's memory and descriptors.
        _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        self._max_processes = config["max_processes"]
        self._num_tests = 1
        self._vitals = _vitals()

    def grade(self, request: dict[str, Any]) -> dict[str, Any]:
        """
        Run a program on all of its tests.

        Args:
            request (`dict`): `source`, `mode`, `setup` and `probes`.

        Returns:
            `dict`: `observations` (one a test), `error` (the first one, with its place, or `None`), `compiled`, `cpu` and
            `wall` in seconds.
        """
        began = time.monotonic()
        count = self._num_tests = len(request["probes"])
        reply: dict[str, Any] = {"observations": [None] * count, "error": None, "compiled": True, "cpu": 0.0}
        observations: list[dict[str, Any] | None] = reply["observations"]
        leash = None  # seconds left for the other tests once one has timed out
        pending = list(range(count))
        while pending:
            if leash is not None and leash <= 0:
                break
            batch = self._next_batch(request, pending)
            child = self._run(request, batch, leash)
            reply["cpu"] += child.cpu
            compiled = self._read_records(request, child, batch, observations, reply)
            cleanup.empty_folders(self._scratch)
            if self._owns_namespace:
                cleanup.remove_ipc_objects()
            if not compiled:
                break
            if child.stopped is not None:
                # The outcome is settled. A loop that hangs on every test must not cost a full timeout each.
                leash = 0.25 * self._config["timeout"] if leash is None else 0.0
            elif leash is not None:
                leash -= child.wall
            pending = [index for index in pending if observations[index] is None]
        for index in range(count):
            observations[index] = observations[index] or {"kind": "not_run"}
        if reply["error"] is not None:
            reply["error"].update(self._locate(request["source"], reply["error"]))
        reply["wall"] = time.monotonic() - began
        if _vitals() != self._vitals:
            # Limits that were lowered cannot be raised again: this worker must not grade another program.
            reply["retire"] = True
            error = self._error("TamperingError", "the program changed limits or priority of the sandbox")
            reply["error"] = {**error, "detail": "", "span": None, "expression_span": None}
            reply["observations"] = [{"kind": "error", "error": error} for _ in range(count)]
        return reply

    @staticmethod
    def _next_batch(request: dict[str, Any], pending: list[int]) -> list[int]:
        """A script, and an assert that decides itself, get a process of their own; other calls share one."""
        probes = request["probes"]
        if request["mode"] == "stdin" or "statements" in probes[pending[0]]:
            return pending[:1]
        return [index for index in pending if "statements" not in probes[index]]

    def _read_records(
        self,
        request: dict[str, Any],
        child: _Child,
        batch: list[int],
        observations: list[dict[str, Any] | None],
        reply: dict[str, Any],
    ) -> bool:
        """Turn what a process reported into observations; returns whether the program compiled."""
        running = batch[0]
        ended: dict[str, Any] | None = None
        compiled = loading_failed = False
        allowed = set(batch)
        for record in child.records:
            index = record.get("test")
            match record["kind"]:
                case "compiled":
                    compiled = True
                case "start" if index in allowed:
                    running = index
                case "done" if index in allowed and observations[index] is None:
                    observations[index] = {"kind": "done", "values": record["values"]}
                case "error":
                    if not compiled:
                        reply["compiled"], reply["error"] = False, record
                        observations[:] = [{"kind": "error", "error": record} for _ in observations]
                        return False
                    if index is None:
                        ended, loading_failed = {"kind": "error", "error": record}, True
                    elif index in allowed and observations[index] is None:
                        observations[index] = {"kind": "error", "error": record}
        if ended is None and observations[running] is None:
            ended = self._abnormal_end(child, request["mode"])
        if child.stdout_size >= self._config["output_limit"]:
            ended = {"kind": "error", "error": self._error("OutputLimitExceeded", "the program printed too much")}
            observations[running] = None
        if ended is not None:
            # An error while loading settles all tests of the process; a crash or a timeout only the one that ran.
            for index in batch if loading_failed else [running]:
                observations[index] = observations[index] or dict(ended)
        for index in batch:
            observation = observations[index]
            if observation is None:
                continue
            if request["mode"] == "stdin" or index == batch[0]:
                limit = None if request["mode"] == "stdin" and observation["kind"] == "done" else _STDOUT_SAMPLE
                observation["stdout"] = child.stdout[:limit].decode("utf-8", "surrogateescape")
            if observation["kind"] in ("error", "timeout") and reply["error"] is None:
                reply["error"] = observation["error"]
        return True

    def _abnormal_end(self, child: _Child, mode: str) -> dict[str, Any]:
        if child.stopped == "timeout":
            return {"kind": "timeout", "error": self._error("TimeoutError", "the test ran out of time")}
        if child.stopped is not None:
            return {"kind": "error", "error": self._error(child.stopped, "killed by the sandbox")}
        if os.WIFSIGNALED(child.status):
            number = os.WTERMSIG(child.status)
            if number in (signal.SIGXCPU, signal.SIGKILL) and child.cpu >= self._config["timeout"]:
                return {"kind": "timeout", "error": self._error("TimeoutError", "the test ran out of CPU time")}
            name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
            return {"kind": "error", "error": self._error(name, "killed by a signal")}
        code = os.WEXITSTATUS(child.status)
        if code == 0 and mode == "stdin":  # `os._exit(0)` after printing: the output speaks for itself
            return {"kind": "done", "values": []}
        return {"kind": "error", "error": self._error("SystemExit", f"the process ended with exit code {code}")}

    @staticmethod
    def _error(kind: str, message: str) -> dict[str, Any]:
        return {"kind": "error", "phase": "run", "type": kind, "message": message, "position": None}

    def _run(self, request: dict[str, Any], batch: list[int], leash: float | None) -> _Child:
        stdin = os.memfd_create("stdin")
        text = request["probes"][batch[0]].get("stdin", "")
        with open(stdin, "wb", closefd=False) as file:
            file.write(text.encode("utf-8", "surrogateescape"))
        os.lseek(stdin, 0, os.SEEK_SET)
        stdout = os.memfd_create("stdout")

        def body(channel: program_process.Channel) -> None:
            program_process.run_in_this_process(request, batch, channel)

        timeout, wall_timeout = self._config["timeout"], self._config["wall_timeout"]
        if leash is not None:
            timeout, wall_timeout = min(timeout, leash), min(wall_timeout, leash)
        try:
            child = self._fork(body, (stdin, stdout), timeout, wall_timeout, num_tests=len(batch))
            child.stdout_size = os.fstat(stdout).st_size
            child.stdout = os.pread(stdout, min(child.stdout_size, self._config["output_limit"]), 0)
        finally:
            os.close(stdin)
            os.close(stdout)
        return child

    def _locate(self, source: str, error: dict[str, Any]) -> dict[str, Any]:
        """Find the place of an error in a process of its own: parsing a hostile source can crash an interpreter."""

        def body(channel: program_process.Channel) -> None:
            channel.send("site", **error_site.locate(source, error))

        if error["position"] is not None or error["phase"] == "compile":
            streams = self._config["null"], self._config["null"]
            child = self._fork(body, streams, _LOCATE_SECONDS, 3 * _LOCATE_SECONDS, num_tests=1)
            if child.records and child.records[0]["kind"] == "site":
                return {key: child.records[0][key] for key in ("detail", "span", "expression_span")}
        return {"detail": "", "span": None, "expression_span": None}

    def _fork(
        self,
        body: Callable[[program_process.Channel], None],
        streams: tuple[int, int],
        timeout: float,
        wall_timeout: float,
        num_tests: int,
    ) -> _Child:
        receive, send = os.pipe()
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            self._be_a_child(body, (*streams, self._config["null"], send), int(num_tests * timeout) + 2)
        os.close(send)
        child = _Child()
        try:
            self._watch(child, pid, receive, timeout, wall_timeout, num_tests)
        finally:
            os.close(receive)
            cleanup.kill_everything(pid, self._owns_namespace)
        child.wall = time.monotonic() - began
        return child

    def _be_a_child(
        self, body: Callable[[program_process.Channel], None], descriptors: tuple[int, ...], cpu_seconds: int
    ) -> NoReturn:
        try:
            if not self._owns_namespace:
                _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # /dev/stdin leads through the process's own /proc entry
            # Out of the way of 0 to 3 first: one of the descriptors may be among them.
            for target, source in enumerate([fcntl.fcntl(source, fcntl.F_DUPFD, 64) for source in descriptors]):
                os.dup2(source, target, inheritable=target < 3)
            os.closerange(4, 2**16)
            program_process.take_limits(self._config, cpu_seconds)
            os.chdir(self._scratch[0])
            signal.signal(signal.SIGINT, signal.default_int_handler)
            gc.enable()
            body(program_process.Channel(3))
        finally:
            os._exit(70)

    def _watch(
        self, child: _Child, pid: int, receive: int, timeout: float, wall_timeout: float, num_tests: int
    ) -> None:
        clock = (~pid << 3) | 2  # the CPU clock of another process, see clock_getcpuclockid(3)
        exit_descriptor = os.pidfd_open(pid)
        os.set_blocking(receive, False)
        poll = select.poll()
        poll.register(receive, select.POLLIN)
        poll.register(exit_descriptor, select.POLLIN)
        poll.register(self._control, 0)  # hang-up is always reported
        pending = bytearray()
        size = starts = 0
        wall_start, cpu_start = time.monotonic(), 0.0
        next_check = wall_start + _CHECK_INTERVAL
        wait = min(timeout, _CHECK_INTERVAL)
        exited = False
        try:
            while True:
                events = dict(poll.poll(max(1, int(wait * 1000) + 1)))
                if self._control in events:
                    raise _Stop
                exited = exit_descriptor in events
                if receive in events or exited:
                    while part := self._read_available(receive):
                        pending += part
                        size += len(part)
                        if size > MAX_BYTES:
                            child.stopped = "OutputLimitExceeded"
                            return
                    if not exited and events.get(receive, 0) & select.POLLHUP:
                        poll.unregister(receive)  # the program closed its end; what counts now is its exit
                    # A program can forge a start, but not more of them than it has tests: its time stays bounded.
                    if self._parse(pending, child, self._num_tests) and starts <= num_tests:
                        starts += 1
                        wall_start, cpu_start = time.monotonic(), self._cpu(clock)
                if exited:
                    return
                now = time.monotonic()
                cpu_left = timeout - (self._cpu(clock) - cpu_start)
                wall_left = wall_timeout - (now - wall_start)
                if cpu_left <= 0 or wall_left <= 0:
                    child.stopped = "timeout"
                    return
                if now >= next_check:
                    next_check = now + _CHECK_INTERVAL
                    if cleanup.count_processes(self._owns_namespace) > self._max_processes:
                        child.stopped = "ProcessLimitExceeded"
                        return
                wait = min(cpu_left, wall_left, next_check - now)
        finally:
            os.close(exit_descriptor)
            if not exited:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            _, child.status, usage = os.wait4(pid, 0)
            child.cpu = usage.ru_utime + usage.ru_stime

    @staticmethod
    def _read_available(descriptor: int) -> bytes:
        try:
            return os.read(descriptor, 2**16)
        except BlockingIOError:
            return b""

    @staticmethod
    def _parse(pending: bytearray, child: _Child, num_tests: int) -> bool:
        """Take whole records off the front; returns whether a test has started. Garbage is dropped: it is the program's."""
        *lines, rest = pending.split(b"\n")
        pending[:] = rest
        started = False
        for line in lines:
            record = parse_record(bytes(line), num_tests)
            if record is not None and len(child.records) < 4 * num_tests + 4:
                child.records.append(record)
                started |= record["kind"] == "start"
        return started

    @staticmethod
    def _cpu(clock: int) -> float:
        try:
            return time.clock_gettime(clock)
        except OSError:  # it has just ended
            return 0.0


def main() -> None:
    """Serve requests from standard input until it closes."""
    # As the first process of a namespace, this one is safe from signals that it does not handle; Python handles this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control, reply = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    first = read_frame(control)
    if first is None:
        return
    config = json.loads(first)
    config["null"] = null
    sys.path[:] = [path for path in sys.path if path not in config["hidden_paths"]]
    for name in config["hidden_variables"]:
        os.environ.pop(name, None)
    os.environ |= dict.fromkeys(("HOME", "TMPDIR"), config["scratch"][0])
    program_process.load_prelude()
    supervisor = Supervisor(control, config)
    gc.collect()
    gc.freeze()  # shared with every program's process; a collection there must not copy it
    gc.disable()
    _write_all(reply, frame({"ready": True, "pid": os.getpid()}))
    while (data := read_frame(control)) is not None:
        try:
            answer = supervisor.grade(json.loads(data))
        except _Stop:
            return
        _write_all(reply, frame(answer))


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    main()
