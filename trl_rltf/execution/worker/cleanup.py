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


def reap_everything(owns_namespace: bool) -> None:
    """
    Kill and reap the processes that are left of a program.

    To be called after [`kill_everything`].

    Args:
        owns_namespace (`bool`): Whether the caller is the first process of a PID namespace. Otherwise it must be a
            subreaper, so that orphans are its children.
    """
    while not owns_namespace and _has_children():
        kill_descendants(os.getpid())
    _reap()


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


def _has_children() -> bool:
    """Reap the children that have ended. Returns whether there are others."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _reap() -> None:
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass
