"""Fork the process of a program, watch its time, and leave nothing of it behind."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..sandbox.scratch import has_too_many_files
from . import cleanup
from .cpu_time import CpuMeter
from .files import CLOSED, CONNECTION, LOG, NULL, STDOUT, MemoryFiles
from .program import run as program_process
from .records import RecordReader, RecordWriter
from .scripts.server import CANNOT_FORK, fork


if TYPE_CHECKING:
    from ..wire.messages import WorkerConfig


_CHECK_INTERVAL = 0.02  # seconds between looks at the number of processes; later, a fork bomb leaves no time to look
_NO_DESCRIPTOR = 2**16
WAITING = 2.0
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_MOST_CPU_SECONDS = 3600  # the supervisor looks after time; this is for the case that it cannot
_prctl = ctypes.CDLL(None).prctl


class Stop(Exception):
    """The caller is gone."""


class Limits(NamedTuple):
    """
    Seconds of CPU and of elapsed time that a test may use, and the same for all tests of the process. Of their elapsed time,
    [`WAITING`] seconds for each of CPU do not count: on a busy machine a process waits for its turn.
    """

    cpu: float
    wall: float
    total_cpu: float
    total_wall: float


class ChildProcess:
    """
    Run one process at a time, and keep how it ended.

    Args:
        control (`int`): Descriptor whose hang-up means that the caller is gone.
        config (`dict`): `memory_limit` and `output_limit` (bytes), `max_processes`, `scratch`.
        files ([`~execution.worker.files.MemoryFiles`]): Where programs read from and write to.
        owns_namespace (`bool`): Whether this is the first process of a PID namespace.
        child_setup (`Callable`): What the process of a program does first, to lock itself in.

    Attributes:
        records (`list`): What the process reported.
        stopped (`str` or `None`): Why it was killed from outside.
        exceeded (`str`): Which of the [`Limits`] it was killed for.
        status (`int`): How it ended, as `os.wait` says it.
        cpu (`float`): CPU seconds that it and all that it started have used.
    """

    def __init__(
        self,
        control: int,
        config: WorkerConfig,
        files: MemoryFiles,
        owns_namespace: bool,
        child_setup: Callable[[], None],
    ):
        self._poll = select.poll()
        self._poll.register(control, 0)  # a hang-up is always reported
        self._config = config
        self._files = files
        self._owns_namespace = owns_namespace
        self._child_setup = child_setup
        self._file_bound = program_process.lowest_limit(resource.RLIMIT_FSIZE, config["output_limit"])
        self._cpu_bound = program_process.lowest_limit(resource.RLIMIT_CPU, _MOST_CPU_SECONDS)
        self.records: list[Any] = []
        self.stopped: str | None = None
        self.exceeded = ""
        self.status = 0
        self.cpu = 0.0

    def run(
        self,
        body: Callable[[RecordWriter], None],
        limits: Limits,
        num_tests: int,
        prepare: Callable[[], None],
        served_by: Callable[[RecordWriter], None] | None = None,
        served_prepare: Callable[[], None] = lambda: None,
        connections: Sequence[tuple[int, ...]] = ((), ()),
    ) -> None:
        """
        Fork, run `body` in the child, and wait until the child has ended or its time is up. Then nothing of it runs.

        Args:
            body (`Callable[[RecordWriter], None]`): What the child does.
            limits ([`Limits`]): Seconds.
            num_tests (`int`): Number of tests that the program has.
            prepare (`Callable`): What the child does first, while it still has the worker's descriptors.
            served_by (`Callable`, *optional*): What a second child does, which the first one talks to. Then `body` is that
                of the test and this that of the program; the limits are on both together.
            served_prepare (`Callable`, *optional*): What the second child does first.
            connections (`Sequence[tuple[int, int]]`, *optional*): For each of the two, where it reads and writes messages. They
                are closed here once the children have them, so that each child sees when the other is gone.
        """
        self._files.renew()
        reader = RecordReader(num_tests)
        pids: list[int] = []

        def start() -> None:
            pids.append(self._start(body, reader.tokens, connections[0], prepare))
            if served_by is not None:
                pids.append(self._start(served_by, b"", connections[1], served_prepare))
            for descriptor in (*connections[0], *connections[1]):
                os.close(descriptor)

        self._run(pids, start, limits, lambda: reader.read(LOG))

    def run_server(self, serve: Callable[[], None], limits: Limits, read: Callable[[], Iterator[Any]]) -> None:
        """
        The same with a process of ours, which forks those of a program by itself.

        Args:
            serve (`Callable`): What the child does.
            limits ([`Limits`]): Seconds.
            read (`Callable`): Returns what the child has reported since the last call.
        """
        pids: list[int] = []

        def start() -> None:
            pid = self._fork()
            if pid == 0:
                try:
                    self._leave_worker()
                    os.setsid()  # or a program could join the group of the worker, and send signals to it
                    serve()
                finally:
                    os._exit(70)
            pids.append(pid)

        self._run(pids, start, limits, read, is_server=True)
        if os.WIFEXITED(self.status) and os.WEXITSTATUS(self.status) == CANNOT_FORK:
            raise _out_of_processes()

    def become_test(self) -> None:
        """Lock this process in, which a server has forked, before it runs a program."""
        if not self._owns_namespace:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.setpgid(0, 0)  # signals to its group reach nobody else
        self._lock_in(CONNECTION[0])
        _prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # /dev/stdin leads through the process's own /proc entry
        gc.enable()

    def _leave_worker(self) -> None:
        if not self._owns_namespace:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a fresh interpreter
        resource.setrlimit(resource.RLIMIT_CPU, self._cpu_bound)

    def _lock_in(self, first_closed: int) -> None:
        self._child_setup()
        os.closerange(first_closed, _NO_DESCRIPTOR)
        resource.setrlimit(resource.RLIMIT_FSIZE, self._file_bound)

    @staticmethod
    def _fork() -> int:
        gc.freeze()  # or the child's first allocation might look through all that this process has made since
        pid: int = fork()
        if pid < 0:
            raise _out_of_processes()
        return pid

    def _start(
        self,
        body: Callable[[RecordWriter], None],
        tokens: bytes,
        connection: tuple[int, ...],
        prepare: Callable[[], None],
    ) -> int:
        pid = self._fork()
        if pid == 0:
            # Little happens here: each page of memory that is touched is copied first.
            try:
                self._leave_worker()
                os.setsid()
                is_hidden = bool(connection and tokens)  # a test that judges a program stays hidden from it
                if not is_hidden:
                    _prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # /dev/stdin leads through the process's own /proc entry
                if connection:
                    for target, source in zip(CONNECTION, connection, strict=True):
                        os.dup2(source, target)
                    os.dup2(
                        NULL, STDOUT if is_hidden else LOG
                    )  # what a test prints, or reports, is not for the program
                prepare()
                self._lock_in(CLOSED if connection else CONNECTION[0])
                gc.enable()
                body(RecordWriter(LOG, tokens))
            finally:
                os._exit(70)
        return pid

    def _run(
        self,
        pids: list[int],
        start: Callable[[], None],
        limits: Limits,
        read: Callable[[], Iterator[Any]],
        is_server: bool = False,
    ) -> None:
        self.records, self.stopped, self.exceeded, self.status = [], None, "", 0
        before = _cpu_of_children()
        meter = CpuMeter()
        try:
            start()
            self._watch(pids, meter, limits, read, is_server)
        finally:
            # Before the first is waited for: a fork bomb grows as long as one process of it is alive.
            has_more = cleanup.kill_everything(pids, self._owns_namespace)
            statuses = [os.waitpid(pid, 0)[1] for pid in pids]
            if has_more:
                cleanup.reap_everything(self._owns_namespace)
        self.cpu = max(meter.latest, _cpu_of_children() - before)
        self.status = statuses[-1]
        self.records += read()

    def _watch(
        self,
        pids: list[int],
        meter: CpuMeter,
        limits: Limits,
        read: Callable[[], Iterator[Any]],
        is_server: bool,
    ) -> None:
        exit_descriptor = os.pidfd_open(pids[0])
        self._poll.register(exit_descriptor, select.POLLIN)
        began = wall_start = time.monotonic()
        cpu_start, has_clocks = 0.0, len(pids) == 1 and not is_server
        wait = min(*limits, _CHECK_INTERVAL)
        try:
            while True:
                for descriptor, _ in self._poll.poll(max(1, int(wait * 1000) + 1)):
                    if descriptor == exit_descriptor:
                        return
                    raise Stop
                now, cpu = time.monotonic(), meter.read(pids)
                for record in read():
                    self.records.append(record)
                    # Each test has its own time, from the end of the one before. A process cannot claim a later one.
                    # Of several processes, a record has only the time of the one that wrote it, or none.
                    cpu_start = record.cpu if has_clocks and 0 <= record.cpu <= cpu else cpu
                    wall_start = record.wall if has_clocks and wall_start <= record.wall <= now else now
                used = Limits(cpu - cpu_start, now - wall_start, cpu, now - began - WAITING * cpu)
                left = [limit - seconds for limit, seconds in zip(limits, used, strict=True)]
                if min(left) <= 0:
                    self.stopped, self.exceeded = "timeout", Limits._fields[left.index(min(left))]
                    return
                self.stopped = self._what_is_wrong(pids[0], is_server)
                if self.stopped is not None:
                    return
                wait = min(*left, _CHECK_INTERVAL)
        finally:
            self._poll.unregister(exit_descriptor)
            os.close(exit_descriptor)

    def _what_is_wrong(self, first_pid: int, is_server: bool) -> str | None:
        """What a program must not do, apart from taking long."""
        if is_server and os.waitid(os.P_PID, first_pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None:
            return "SIGSTOP"  # by its program: it would never report
        if self._has_too_many_processes(first_pid, self._config["max_processes"] + is_server):
            return "ProcessLimitExceeded"
        return "FileLimitExceeded" if has_too_many_files(self._config["scratch"]) else None

    def _has_too_many_processes(self, first_pid: int, most: int) -> bool:
        with open("/proc/loadavg", "rb") as file:
            num_started = int(file.read().split()[4]) - first_pid  # the last number that was given to a process
        return not 0 <= num_started <= most and cleanup.count_processes(self._owns_namespace) > most


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _out_of_processes() -> OSError:
    return OSError("the sandbox cannot fork: the machine has no memory or no processes left")
