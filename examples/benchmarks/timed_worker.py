"""
Measure the phases of a worker from inside: `phases.py` starts this text instead of `-m trl_rltf.execution.worker`.

Functions of the worker are replaced by functions that also read the clocks, so that the worker itself needs no time stamps. The
file is passed as text, because it is not visible inside the sandbox.
"""

from __future__ import annotations

import itertools
import json
import mmap
import os
import resource
import select
import struct
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from trl_rltf.execution.sandbox.scratch import ScratchFolders
from trl_rltf.execution.worker import __main__ as worker
from trl_rltf.execution.worker import child
from trl_rltf.execution.worker.child import ChildProcess
from trl_rltf.execution.worker.files import MemoryFiles, PassThroughFile
from trl_rltf.execution.worker.program import functions
from trl_rltf.execution.worker.records import RecordWriter
from trl_rltf.execution.worker.scripts import fork_server, script
from trl_rltf.execution.worker.scripts.fork_server import ScriptServer


_KEPT = 30  # number of the file for the figures: a worker uses the low numbers itself
_WORKER, _SERVER, _PROGRAM = "worker", "server of a script", "program"
_IDLE, _REST, _EXIT = "idle", "the rest", "exit"
# The functions of each phase. A phase does not count the phases inside it.
_PHASES: dict[str, list[tuple[Any, str]]] = {
    "read the request": [(worker, "read_frame"), (worker, "parse_frame"), (PassThroughFile, "fill_from")],
    "renew the standard files": [(MemoryFiles, "renew"), (PassThroughFile, "move_part_to")],
    "fork": [(child, "fork"), (fork_server, "fork")],
    "limits and filters": [
        (ChildProcess, "_leave_worker"),
        (ChildProcess, "_enter_sandbox"),
        (ChildProcess, "become_program"),
    ],
    "read the payload": [(PassThroughFile, "open")],
    "compile": [(functions, "compile_program"), (script, "compile_program"), (fork_server, "prepare_script")],
    "run": [(functions, "run_functions"), (script, "_run")],
    "report": [(RecordWriter, "send_json"), (RecordWriter, "send"), (ScriptServer, "_report")],
    "wait for the program": [(ChildProcess, "_watch"), (fork_server, "_wait")],
    "kill and reap": [(child, "kill_everything"), (child, "reap_everything"), (fork_server, "_has_no_children")],
    "move the answers": [(PassThroughFile, "append"), (MemoryFiles, "move_output")],
    "clean up the folders": [
        (ScratchFolders, "restore"),
        (ScratchFolders, "are_untouched"),
        (ScratchFolders, "touch"),
    ],
    "reply": [(worker, "_write_all"), (PassThroughFile, "send_to")],
}
_SLOTS = [(process, phase) for process in (_WORKER, _SERVER, _PROGRAM) for phase in (_IDLE, *_PHASES, _REST, _EXIT)]
_FIGURES = struct.Struct("=3q")  # nanoseconds of CPU time and of elapsed time, page faults
_STAMP = struct.Struct("=4q")  # the same at the end of a process, and the place of its exit in the list of slots


def _used(who: int) -> tuple[int, int]:
    usage = resource.getrusage(who)
    return int((usage.ru_utime + usage.ru_stime) * 1e9), usage.ru_minflt


class Stopwatch:
    """Add up the figures of each phase, in memory that a worker shares with the processes that it forks."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, _FIGURES.size * len(_SLOTS) + _STAMP.size)
        self.process = _WORKER
        self._phase = _REST
        self._totals: dict[str, list[int]] = {}
        self._last = self._now()

    def enter(self, phase: str) -> str:
        """End a phase and start the next one. Returns the phase that has ended."""
        now = self._now()
        total = self._totals.setdefault(self._phase, [0, 0, 0])
        for index in range(3):
            total[index] += now[index] - self._last[index]
        ended, self._phase, self._last = self._phase, phase, now
        return ended

    def forget(self) -> None:
        """Drop the figures so far."""
        self._totals.clear()
        self._shared[:] = bytes(len(self._shared))

    def restart(self) -> None:
        """Start in a process that was just forked. Its elapsed time counts from the call of fork."""
        self.process, self._totals, self._last = _PROGRAM, {}, (0, self._last[1], 0)

    def end(self) -> None:
        """Add the figures of this process to the shared memory, with a stamp for [`Stopwatch.add_exit`]."""
        self.enter(_EXIT)
        for phase, figures in self._totals.items():
            self._add(_SLOTS.index((self.process, phase)), figures)
        cpu, faults = _used(resource.RUSAGE_CHILDREN)
        stamp = self._last[0] + cpu, self._last[1], self._last[2] + faults, _SLOTS.index((self.process, _EXIT))
        _STAMP.pack_into(self._shared, _FIGURES.size * len(_SLOTS), *stamp)

    def add_exit(self, before: tuple[int, int]) -> None:
        """Add what the child that was just waited for has used since its stamp."""
        cpu, faults = _used(resource.RUSAGE_CHILDREN)
        *stamp, slot = _STAMP.unpack_from(self._shared, _FIGURES.size * len(_SLOTS))
        self._add(slot, [cpu - before[0] - stamp[0], time.monotonic_ns() - stamp[1], faults - before[1] - stamp[2]])

    def figures(self) -> list[tuple[str, str, list[int]]]:
        """Read process, phase, and the sums of CPU and elapsed nanoseconds and page faults."""
        rows = [_FIGURES.unpack_from(self._shared, _FIGURES.size * index) for index in range(len(_SLOTS))]
        return [(*slot, list(row)) for slot, row in zip(_SLOTS, rows, strict=True) if any(row)]

    def _add(self, slot: int, figures: list[int]) -> None:
        old = _FIGURES.unpack_from(self._shared, _FIGURES.size * slot)
        _FIGURES.pack_into(self._shared, _FIGURES.size * slot, *map(sum, zip(old, figures, strict=True)))

    @staticmethod
    def _now() -> tuple[int, int, int]:
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt  # first, because it takes the longest
        return time.process_time_ns(), time.monotonic_ns(), faults


def measure(watch: Stopwatch, warm_up: int) -> None:
    """Replace the functions of all phases, and those that fork, wait for and end a process."""
    fork, leave, serve, read = child.fork, os._exit, ScriptServer.serve, worker.read_frame
    wait, wait_with_usage = os.waitpid, os.wait4
    requests = itertools.count(-1)  # the first message is the configuration

    def fork_and_restart() -> int:
        pid: int = fork()
        if pid == 0:
            watch.restart()
        return pid

    def stamp_and_leave(status: int) -> NoReturn:
        watch.end()
        leave(status)

    def wait_and_add(pid: int, options: int) -> tuple[int, int]:
        before = _used(resource.RUSAGE_CHILDREN)
        ended, status = wait(pid, options)
        if ended:
            watch.add_exit(before)
        return ended, status

    def wait_with_usage_and_add(pid: int, options: int) -> tuple[int, int, Any]:
        before = _used(resource.RUSAGE_CHILDREN)
        ended = wait_with_usage(pid, options)
        if ended[0]:
            watch.add_exit(before)
        return ended

    def serve_as_server(server: ScriptServer) -> NoReturn:
        watch.process = _SERVER
        serve(server)

    def read_when_there(descriptor: int) -> bytes | None:
        if next(requests) == warm_up:
            watch.forget()
        outer = watch.enter(_IDLE)
        select.select([descriptor], [], [])
        watch.enter(outer)
        return read(descriptor)

    child.fork = fork_server.fork = fork_and_restart
    os._exit, os.waitpid, os.wait4 = stamp_and_leave, wait_and_add, wait_with_usage_and_add
    ScriptServer.serve, worker.read_frame = serve_as_server, read_when_there
    for phase, places in _PHASES.items():
        for owner, name in places:
            setattr(owner, name, _timed(watch, phase, getattr(owner, name)))


def _timed(watch: Stopwatch, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any, **named: Any) -> Any:
        outer = watch.enter(phase)
        try:
            return function(*arguments, **named)
        finally:
            watch.enter(outer)

    return run


def main(result: int, warm_up: int) -> None:
    """
    Serve as a worker, and write the figures at the end.

    Args:
        result (`int`): Descriptor of the file for the figures.
        warm_up (`int`): Number of requests that do not count.
    """
    kept = os.dup2(result, _KEPT, inheritable=False)
    watch = Stopwatch()
    measure(watch, warm_up)
    worker.main()
    watch.enter(_REST)
    watch.end()
    os.write(kept, json.dumps(watch.figures()).encode())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
