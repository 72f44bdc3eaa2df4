"""Look at processes from the outside: those of a runner, and those that programs left behind."""

from __future__ import annotations

import contextlib
import ctypes
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import psutil

from trl_rltf.execution import LocalRunner


def descendants(pid: int | None = None) -> list[psutil.Process]:
    """Children of a process (this one by default), their children, and so on. A process that has ended has none."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def tree(pid: int) -> list[int]:
    """Identifiers of a process and of its descendants."""
    return [pid, *(child.pid for child in descendants(pid))]


def worker_pids(runner: LocalRunner) -> list[int]:
    """Identifiers of the processes that a runner has started, one per worker."""
    pool = runner._pool
    return [] if pool is None else [worker.process.pid for worker in pool.workers]


def busy_worker_pids(runner: LocalRunner) -> list[int]:
    """Identifiers of the worker processes that are grading a program now; not of those that are still starting."""
    pool = runner._pool
    return [] if pool is None else [worker.process.pid for worker in list(pool._busy) if worker.is_ready]


def is_running(pid: int) -> bool:
    """Whether a process has not ended; one that only waits to be reaped has."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def running(pids: Iterable[int]) -> list[str]:
    """Descriptions of those of some processes that have not ended, for the message of a failed test."""
    return [describe(pid) for pid in pids if is_running(pid)]


def describe(pid: int) -> str:
    """Command and state of a process."""
    try:
        process = psutil.Process(pid)
        return f"{pid}: {process.cmdline() or process.name()} ({process.status()})"
    except psutil.NoSuchProcess:
        return f"{pid}: has just ended"


def wait_until(condition: Callable[[], Any], seconds: float = 20.0) -> bool:
    """Ask again and again until the answer is true, or the time is over. Returns whether it was true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(found)


@contextlib.contextmanager
def adopted_orphans() -> Iterator[None]:
    """Processes whose parents have ended become children of this one, not of the first process of the machine."""
    set_subreaper = 36
    ctypes.CDLL(None).prctl(set_subreaper, 1, 0, 0, 0)
    try:
        yield
    finally:
        ctypes.CDLL(None).prctl(set_subreaper, 0, 0, 0, 0)
