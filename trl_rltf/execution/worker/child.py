"""Fork the process of a program, watch its time, and leave nothing of it behind."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import gc
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ..sandbox.libc import PR_SET_DUMPABLE, PR_SET_PDEATHSIG, fork, prctl
from ..sandbox.rlimits import lowest_limit
from ..sandbox.scratch import has_too_many_files
from .cleanup import count_processes, kill_everything, reap_everything
from .cpu_time import CpuMeter
from .files import FIRST_CLOSED, LOG, NULL, REFEREE_FDS, STDOUT, MemoryFiles
from .records import RecordReader, RecordWriter
from .scripts.fork_server import EXIT_CANNOT_FORK, EXIT_FAILED
from .time_limits import WAITING_PER_CPU_SECOND, Limits


if TYPE_CHECKING:
    from ..wire.messages import WorkerConfig


# Between checks of the number of processes. With a longer time, a fork bomb leaves no process for the check.
_CHECK_SECONDS = 0.02
_MAX_DESCRIPTOR = 2**16
_BYTES_PER_UNIT = 1024  # of `ru_maxrss`, see getrusage(2)
# The module `signal` turns numbers into members of an `enum`, which touches many pages of memory.
_SIGINT = int(signal.SIGINT)
_MAX_CPU_SECONDS = 3600  # the supervisor bounds the time; this is for the case that it cannot


class CallerGone(Exception):
    """The caller has hung up."""


class ChildTask(NamedTuple):
    """
    The work of one child process.

    Args:
        run (`Callable[[RecordWriter], None]`): The work itself, inside the sandbox.
        prepare (`Callable[[], None]`): Called first, while the child still has the worker's descriptors.
        pipes (`tuple[int, int]`, *optional*): Descriptors to read from, and to write to, a partner.
    """

    run: Callable[[RecordWriter], None]
    prepare: Callable[[], None]
    pipes: tuple[int, int] | None = None


class ChildResult(NamedTuple):
    """
    The end of a child process.

    Args:
        records (`list`): The reports of the process.
        stopped (`str` or `None`): Why it was killed from outside.
        exceeded (`str`): Name of the field of [`~execution.worker.time_limits.Limits`] that it was killed for.
        status (`int`): Its status, as `os.wait` returns it.
        cpu (`float`): CPU seconds that it and all that it started have used.
        memory (`int`): Bytes of resident memory at the peak of the largest process, among it and all that it started.
    """

    records: list[Any]
    stopped: str | None
    exceeded: str
    status: int
    cpu: float
    memory: int


class ChildProcess:
    """
    Run one process at a time.

    Args:
        control (`int`): Descriptor whose hang-up means that the caller is gone.
        config (`WorkerConfig`): `memory_limit` (bytes, until [`bound_memory`] is called) and `output_limit` (bytes),
            `max_processes`, `scratch`.
        files ([`~execution.worker.files.MemoryFiles`]): The files that programs read from and write to.
        owns_namespace (`bool`): Whether this is the first process of a PID namespace.
        child_setup (`Callable`): Locks in the process of a program, before anything else.
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
        self._cpu_of_children = _cpu_of_children()  # seconds, of all processes that were waited for
        self._file_bound = lowest_limit(resource.RLIMIT_FSIZE, config["output_limit"])
        self._cpu_bound = lowest_limit(resource.RLIMIT_CPU, _MAX_CPU_SECONDS)
        self.bound_memory(config["memory_limit"])

    def bound_memory(self, memory_limit: int) -> None:
        """
        Set the memory of the next processes.

        Args:
            memory_limit (`int`): Bytes of address space per process, fewer or more than this process may have.
        """
        self._memory_bound = lowest_limit(resource.RLIMIT_AS, memory_limit)

    def run(self, main: ChildTask, limits: Limits, num_tests: int, partner: ChildTask | None = None) -> ChildResult:
        """
        Fork, run a task in the child, and wait for its end or for a limit of time.

        When this returns, nothing of the child runs.

        Args:
            main ([`ChildTask`]): The task that reports.
            limits ([`~execution.worker.time_limits.Limits`]): Seconds.
            num_tests (`int`): Number of tests of the program.
            partner ([`ChildTask`], *optional*): The task of a second child, which the first one is connected to: the
                program whose tests run in the first one. The limits are on both together. The pipes are closed here
                once the children have them, so that each child sees when the other is gone.

        Returns:
            [`ChildResult`]: The records of the first child, and the status of the program.

        Raises:
            CallerGone: If the caller hangs up meanwhile.
            OSError: If the machine cannot fork.
        """
        self._files.renew()
        reader = RecordReader(num_tests)
        pids: list[int] = []

        def start() -> None:
            pids.append(self._start(main, reader.tokens))
            if partner is not None:
                pids.append(self._start(partner, b""))
            for task in filter(None, (main, partner)):
                for descriptor in task.pipes or ():
                    os.close(descriptor)

        return self._run(pids, start, limits, lambda: reader.read(LOG))

    def run_server(self, serve: Callable[[], None], limits: Limits, read: Callable[[], Iterator[Any]]) -> ChildResult:
        """
        Fork a server, which forks the processes of a program, and wait as `run` does.

        Args:
            serve (`Callable`): The work of the child.
            limits ([`~execution.worker.time_limits.Limits`]): Seconds.
            read (`Callable`): Returns the reports of the child since the last call.

        Returns:
            [`ChildResult`]: Its reports, and its status.

        Raises:
            CallerGone: If the caller hangs up meanwhile.
            OSError: If the machine cannot fork.
        """
        pids: list[int] = []

        def start() -> None:
            pid = self._fork()
            if pid == 0:
                try:
                    self._leave_worker()
                    os.setsid()  # otherwise, a program could join the group of the worker, and send signals to it
                    serve()
                finally:
                    os._exit(EXIT_FAILED)
            pids.append(pid)

        result = self._run(pids, start, limits, read, is_server=True)
        if os.WIFEXITED(result.status) and os.WEXITSTATUS(result.status) == EXIT_CANNOT_FORK:
            raise _out_of_processes()
        return result

    def become_program(self) -> None:
        """Lock in this process, which a server has forked, before it runs a program."""
        if not self._owns_namespace:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.setpgid(0, 0)  # a signal to its group reaches no other process
        self._enter_sandbox(REFEREE_FDS[0])
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # /dev/stdin leads through the process's own /proc entry
        gc.enable()

    def _leave_worker(self) -> None:
        if not self._owns_namespace:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _signal.signal(_SIGINT, signal.default_int_handler)  # as in a fresh interpreter
        resource.setrlimit(resource.RLIMIT_CPU, self._cpu_bound)
        # The limit of the worker is a soft one, which its children could raise.
        resource.setrlimit(resource.RLIMIT_AS, self._memory_bound)

    def _enter_sandbox(self, first_closed: int) -> None:
        self._child_setup()
        os.closerange(first_closed, _MAX_DESCRIPTOR)
        resource.setrlimit(resource.RLIMIT_FSIZE, self._file_bound)

    @staticmethod
    def _fork() -> int:
        gc.freeze()  # or the child's first allocation might collect garbage among all new objects of this process
        pid: int = fork()
        if pid < 0:
            raise _out_of_processes()
        return pid

    def _start(self, task: ChildTask, tokens: bytes) -> int:
        pid = self._fork()
        if pid == 0:
            # Little happens here: each page of memory that is touched is copied first.
            try:
                self._leave_worker()
                os.setsid()
                is_hidden = bool(task.pipes and tokens)  # a test that judges a program stays hidden from it
                if not is_hidden:
                    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # /dev/stdin leads through the process's own /proc entry
                if task.pipes:
                    for target, source in zip(REFEREE_FDS, task.pipes, strict=True):
                        os.dup2(source, target)
                    os.dup2(NULL, STDOUT if is_hidden else LOG)  # the program sees no output or report of the test
                task.prepare()
                self._enter_sandbox(FIRST_CLOSED if task.pipes else REFEREE_FDS[0])
                gc.enable()
                task.run(RecordWriter(LOG, tokens))
            finally:
                os._exit(EXIT_FAILED)
        return pid

    def _run(
        self,
        pids: list[int],
        start: Callable[[], None],
        limits: Limits,
        read: Callable[[], Iterator[Any]],
        is_server: bool = False,
    ) -> ChildResult:
        records: list[Any] = []
        before = self._cpu_of_children
        meter = CpuMeter()
        try:
            start()
            stopped, exceeded = self._watch(pids, meter, limits, read, records, is_server)
        finally:
            # Before the first process is waited for: a fork bomb grows as long as one process of it is alive.
            has_more = kill_everything(pids, self._owns_namespace)
            ends = [os.wait4(pid, 0) for pid in pids]
            memory_of_others = reap_everything(self._owns_namespace) if has_more else 0
            self._cpu_of_children = _cpu_of_children()
        cpu = max(meter.latest, self._cpu_of_children - before)
        records += read()
        memory = _BYTES_PER_UNIT * max(memory_of_others, *(usage.ru_maxrss for _, _, usage in ends))
        return ChildResult(records, stopped, exceeded, ends[-1][1], cpu, memory)

    def _watch(
        self,
        pids: list[int],
        meter: CpuMeter,
        limits: Limits,
        read: Callable[[], Iterator[Any]],
        records: list[Any],
        is_server: bool,
    ) -> tuple[str | None, str]:
        """Wait for the first process. Returns why to stop it, and the limit it exceeded."""
        exit_descriptor = os.pidfd_open(pids[0])
        self._poll.register(exit_descriptor, select.POLLIN)
        began = wall_start = time.monotonic()
        cpu_start, has_clocks = 0.0, len(pids) == 1 and not is_server
        wait = min(*limits, _CHECK_SECONDS)
        try:
            while True:
                for descriptor, _ in self._poll.poll(max(1, int(wait * 1000) + 1)):
                    if descriptor == exit_descriptor:
                        return None, ""
                    raise CallerGone
                now, cpu = time.monotonic(), meter.read(pids)
                for record in read():
                    records.append(record)
                    # The time of a test counts from the end of the previous test: no process can claim a later start.
                    # With several processes, a record has the clocks of only one of them, or none.
                    cpu_start = record.cpu if has_clocks and 0 <= record.cpu <= cpu else cpu
                    wall_start = record.wall if has_clocks and wall_start <= record.wall <= now else now
                waited = WAITING_PER_CPU_SECOND * cpu
                used = Limits(cpu - cpu_start, now - wall_start, cpu, now - began - waited)
                left = [limit - seconds for limit, seconds in zip(limits, used, strict=True)]
                if min(left) <= 0:
                    return "timeout", Limits._fields[left.index(min(left))]
                violation = self._violation(pids[0], is_server)
                if violation is not None:
                    return violation, ""
                wait = min(*left, _CHECK_SECONDS)
        finally:
            self._poll.unregister(exit_descriptor)
            os.close(exit_descriptor)

    def _violation(self, first_pid: int, is_server: bool) -> str | None:
        """Name the rule that a program breaks, apart from the limits of time."""
        if is_server and is_stopped(first_pid):
            return "SIGSTOP"  # sent by its program: the server would never report
        if self._has_too_many_processes(first_pid, self._config["max_processes"] + is_server):
            return "ProcessLimitExceeded"
        return "FileLimitExceeded" if has_too_many_files(self._config["scratch"]) else None

    def _has_too_many_processes(self, first_pid: int, most: int) -> bool:
        with open("/proc/loadavg", "rb") as file:
            num_started = int(file.read().split()[4]) - first_pid  # the last number that was given to a process
        return not 0 <= num_started <= most and count_processes(self._owns_namespace) > most


def is_stopped(pid: int) -> bool:
    """Tell a child that a signal has stopped from one that runs or has ended."""
    try:
        return os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False  # the process has ended, and the next look at its exit descriptor finds that


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _out_of_processes() -> OSError:
    return OSError("the sandbox cannot fork: the machine has no memory or no processes left")
