"""Fork the process of a program, watch its time, and leave nothing of it behind."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from . import cleanup, program_process
from .program_process import StandardFiles
from .records import Record, RecordReader, RecordWriter
from .sealed import SealedFile


_CHECK_INTERVAL = 0.02  # seconds between looks at the number of processes; later, a fork bomb leaves no time to look
# Descriptors are where a program's process needs them before it is forked: 0 and 1 are the first input and output, then
# come the null device, the log, the two ends of a connection, and further inputs and outputs. All others are the worker's.
NULL, LOG, CONNECTION, _MORE_FILES = 2, 3, (4, 5), 6
_MOST_FILES = 32
FIRST_FREE = _MORE_FILES + 2 * (_MOST_FILES - 1) + 3  # before it come the three sealed files
_NO_DESCRIPTOR = 2**16
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_MOST_CPU_SECONDS = 3600  # the supervisor looks after time; this is for the case that it cannot
_prctl = ctypes.CDLL(None).prctl
# The C library's own fork: `os.fork` also runs what modules registered for the child, which costs as much again. This
# process has one thread and holds no lock, so there is nothing to set right.
_fork = ctypes.PyDLL(None).fork


class Stop(Exception):
    """The caller is gone."""


class Limits(NamedTuple):
    """Seconds of CPU and of wall time that a test may use, and of CPU for all tests of the process."""

    cpu: float
    wall: float
    total_cpu: float


class MemoryFiles:
    """
    Files in memory that programs read from and write to. They are made once: later the filter of system calls, which is
    also the worker's, lets nobody make new ones.
    """

    def __init__(self) -> None:
        for descriptor in (NULL, *CONNECTION):
            _place(os.open(os.devnull, os.O_RDWR), descriptor)
        self._make(LOG)
        places = [0, *range(_MORE_FILES, FIRST_FREE - 3, 2)]
        self._files = [StandardFiles(self._make(place), self._make(place + 1)) for place in places]
        # What a program is given, what only a referee may know, and what programs have answered.
        self.program, self.referee, self.answers = (SealedFile(self._make(FIRST_FREE - i)) for i in (3, 2, 1))

    @staticmethod
    def _make(descriptor: int) -> int:
        return _place(os.memfd_create("program"), descriptor)

    def take(self, number: int) -> list[StandardFiles]:
        """Some pairs of an input and an output, all of them empty."""
        return self._files[:number]

    def fill(self, texts: Sequence[str]) -> None:
        """Write the inputs; done by the process that will run the program, before it does."""
        for (stdin, _), text in zip(self._files, texts, strict=False):
            data = memoryview(text.encode("utf-8", "surrogateescape"))
            while data:
                data = data[os.write(stdin, data) :]
            os.lseek(stdin, 0, os.SEEK_SET)

    def clear(self, files: Sequence[StandardFiles]) -> None:
        """Empty them for the next program."""
        for stdin, stdout in files:
            _empty(stdin)
            _empty(stdout)


def _place(descriptor: int, target: int) -> int:
    if descriptor != target:
        os.dup2(descriptor, target)
        os.close(descriptor)
    return target


def _empty(descriptor: int) -> None:
    status = os.fstat(descriptor)
    if status.st_size or status.st_blocks:
        os.ftruncate(descriptor, 0)
    if status.st_mode & 0o777 != 0o777:  # as it was made
        os.fchmod(descriptor, 0o777)
    os.lseek(descriptor, 0, os.SEEK_SET)


class ChildProcess:
    """
    Run one process at a time, and keep how it ended.

    Args:
        control (`int`): Descriptor whose hang-up means that the caller is gone.
        config (`dict`): `memory_limit` and `output_limit` (bytes), `max_processes`.
        owns_namespace (`bool`): Whether this is the first process of a PID namespace.
        child_setup (`Callable`): What the process of a program does first, to lock itself in.

    Attributes:
        records (`list[Record]`): What the process reported.
        stopped (`str` or `None`): Why it was killed from outside.
        status (`int`): How it ended, as `os.wait` says it.
        cpu (`float`): CPU seconds that it and its children used.
    """

    def __init__(self, control: int, config: dict[str, Any], owns_namespace: bool, child_setup: Callable[[], None]):
        self._poll = select.poll()
        self._poll.register(control, 0)  # a hang-up is always reported
        self._config = config
        self._owns_namespace = owns_namespace
        self._child_setup = child_setup
        self._bounds = [
            (kind, program_process.lowest_limit(kind, bound))
            for kind, bound in (
                (resource.RLIMIT_FSIZE, config["output_limit"]),
                (resource.RLIMIT_CPU, _MOST_CPU_SECONDS),
            )
        ]
        self.records: list[Record] = []
        self.stopped: str | None = None
        self.status = 0
        self.cpu = 0.0

    def run(
        self,
        body: Callable[[RecordWriter], None],
        limits: Limits,
        num_tests: int,
        prepare: Callable[[], None],
        num_files: int = 1,
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
            num_files (`int`, *optional*, defaults to `1`): How many pairs of input and output the child keeps.
            served_by (`Callable`, *optional*): What a second child does, which the first one talks to. Then `body` is that
                of the test and this that of the program; the limits are on both together.
            served_prepare (`Callable`, *optional*): What the second child does first.
            connections (`Sequence[tuple[int, int]]`, *optional*): For each of the two, where it reads and writes messages. They
                are closed here once the children have them, so that each child sees when the other is gone.
        """
        self.records, self.stopped, self.status, self.cpu = [], None, 0, 0.0
        _empty(LOG)
        reader = RecordReader(num_tests)
        pids = [self._start(body, num_files, reader.tokens, connections[0], prepare)]
        try:
            if served_by is not None:
                pids.append(self._start(served_by, num_files, b"", connections[1], served_prepare))
            for descriptor in (*connections[0], *connections[1]):
                os.close(descriptor)
            self._watch(pids, reader, limits)
        finally:
            # Before the first is waited for: a fork bomb grows as long as one process of it is alive.
            has_more = cleanup.kill_everything(pids, self._owns_namespace)
            statuses = [self._wait(pid) for pid in pids]
            if has_more:
                cleanup.reap_everything(self._owns_namespace)
        self.status = statuses[-1]
        self.records += reader.read(LOG)

    def _wait(self, pid: int) -> int:
        _, status, usage = os.wait4(pid, 0)
        self.cpu += usage.ru_utime + usage.ru_stime
        return status

    def _start(
        self,
        body: Callable[[RecordWriter], None],
        num_files: int,
        tokens: bytes,
        connection: tuple[int, ...],
        prepare: Callable[[], None],
    ) -> int:
        gc.freeze()  # or the child's first allocation might look through all that this process has made since
        pid: int = _fork()
        if pid == 0:
            # Little happens here: each page of memory that is touched is copied first.
            try:
                if not self._owns_namespace:
                    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
                    os.setsid()
                self._child_setup()
                if not (connection and tokens):  # a test that judges a program stays hidden from it
                    _prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # /dev/stdin leads through the process's own /proc entry
                if connection:
                    self._connect(connection, has_log=bool(tokens))
                prepare()
                os.closerange(_MORE_FILES + 2 * (num_files - 1), _NO_DESCRIPTOR)
                for kind, bound in self._bounds:
                    resource.setrlimit(kind, bound)
                gc.enable()
                body(RecordWriter(LOG, tokens))
            finally:
                os._exit(70)
        if pid < 0:
            raise OSError("the sandbox cannot fork: the machine has no memory or no processes left")
        return pid

    @staticmethod
    def _connect(connection: tuple[int, ...], has_log: bool) -> None:
        for target, source in zip(CONNECTION, connection, strict=True):
            os.dup2(source, target)
        if has_log:
            os.dup2(NULL, 1)  # what a test prints is not for the program
        else:
            os.dup2(NULL, LOG)

    def _watch(self, pids: list[int], reader: RecordReader, limits: Limits) -> None:
        clocks = [(~pid << 3) | 2 for pid in pids]  # of other processes, see clock_getcpuclockid(3)
        exit_descriptor = os.pidfd_open(pids[0])
        self._poll.register(exit_descriptor, select.POLLIN)
        wall_start, cpu_start = time.monotonic(), 0.0
        next_check = wall_start + _CHECK_INTERVAL
        wait = min(limits.cpu, limits.wall, _CHECK_INTERVAL)
        try:
            while True:
                for descriptor, _ in self._poll.poll(max(1, int(wait * 1000) + 1)):
                    if descriptor == exit_descriptor:
                        return
                    raise Stop
                now, cpu = time.monotonic(), sum(map(_cpu_time, clocks))
                for record in reader.read(LOG):
                    self.records.append(record)
                    # Each test has its own time, from the end of the one before. A process cannot claim a later one.
                    # Of two processes, a record has only the time of the one that wrote it.
                    cpu_start = record.cpu if len(pids) == 1 and 0 <= record.cpu <= cpu else cpu
                    wall_start = record.wall if wall_start <= record.wall <= now else now
                cpu_left = min(limits.cpu - (cpu - cpu_start), limits.total_cpu - cpu)
                wall_left = limits.wall - (now - wall_start)
                if cpu_left <= 0 or wall_left <= 0:
                    self.stopped = "timeout"
                    return
                if now >= next_check:
                    next_check = now + _CHECK_INTERVAL
                    if self._has_too_many_processes(first_pid=pids[0]):
                        self.stopped = "ProcessLimitExceeded"
                        return
                    if cleanup.has_too_many_files(self._config["scratch"]):
                        self.stopped = "FileLimitExceeded"
                        return
                wait = min(cpu_left, wall_left, next_check - now)
        finally:
            self._poll.unregister(exit_descriptor)
            os.close(exit_descriptor)

    def _has_too_many_processes(self, first_pid: int) -> bool:
        most: int = self._config["max_processes"]
        with open("/proc/loadavg", "rb") as file:
            num_started = int(file.read().split()[4]) - first_pid  # the last number that was given to a process
        return not 0 <= num_started <= most and cleanup.count_processes(self._owns_namespace) > most


def _cpu_time(clock: int) -> float:
    with contextlib.suppress(OSError):  # it has just ended
        return time.clock_gettime(clock)
    return 0.0
