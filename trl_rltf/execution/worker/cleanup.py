"""Leave nothing of a program behind: no process, no zombie, no IPC object."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable
from typing import Any

from ..sandbox.libc import libc
from ..sandbox.processes import descendants, kill_descendants


_IPC_RMID = 0


def count_processes(owns_namespace: bool) -> int:
    """Count the processes of the program, also those that have other parents by now."""
    return len(_others() if owns_namespace else descendants())


def kill_everything(pids: Iterable[int], owns_namespace: bool) -> bool:
    """
    Kill all processes of a program, also those that moved to another session.

    Args:
        pids (`Iterable[int]`): The processes that were forked for it. Outside a namespace, each of them leads a session.
        owns_namespace (`bool`): Whether the caller is the first process of a PID namespace, where one call reaches all.

    Returns:
        `bool`: Whether there may be processes to reap with [`reap_everything`], apart from `pids`.
    """
    if owns_namespace:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True
    for pid in pids:
        for kill in (os.kill, os.killpg):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)
    return True


def reap_everything(owns_namespace: bool) -> int:
    """
    Kill and reap the processes that are left of a program.

    To be called after [`kill_everything`].

    Args:
        owns_namespace (`bool`): Whether the caller is the first process of a PID namespace. Otherwise it must be a
            subreaper, so that orphans are its children.

    Returns:
        `int`: Their largest `ru_maxrss`, see getrusage(2); 0 without any.
    """
    has_children, memory = not owns_namespace, 0
    while has_children:
        has_children, latest = _reap(os.WNOHANG)
        memory = max(memory, latest)
        if has_children:
            kill_descendants(os.getpid())
    return max(memory, _reap(0)[1])


def remove_ipc_objects() -> None:
    """Remove the System V objects of this IPC namespace: they survive processes."""
    controls: dict[str, Callable[[int], Any]] = {
        "shm": lambda key: libc.shmctl(key, _IPC_RMID, None),
        "sem": lambda key: libc.semctl(key, 0, _IPC_RMID),
        "msg": lambda key: libc.msgctl(key, _IPC_RMID, None),
    }
    for kind, control in controls.items():
        with contextlib.suppress(OSError), open(f"/proc/sysvipc/{kind}") as file:
            for line in file.readlines()[1:]:
                control(int(line.split()[1]))


def _others() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def _reap(options: int) -> tuple[bool, int]:
    """
    Reap children.

    Returns whether there are others that run, and the largest `ru_maxrss`.
    """
    memory = 0
    try:
        while (ended := os.wait4(-1, options))[0]:
            memory = max(memory, ended[2].ru_maxrss)
    except ChildProcessError:
        return False, memory
    return True, memory
