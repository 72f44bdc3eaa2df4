"""Leave nothing of a program behind: no process, no zombie, no file."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Callable, Iterable
from typing import Any


_IPC_RMID = 0
_libc = ctypes.CDLL(None, use_errno=True)


def count_processes(owns_namespace: bool) -> int:
    """Number of processes that the program has, whoever their parents are."""
    return len(_others() if owns_namespace else _descendants())


def kill_everything(pids: Iterable[int], owns_namespace: bool) -> bool:
    """
    Kill all processes of a program, whatever group or session they moved to.

    Args:
        pids (`Iterable[int]`): The processes that were forked for it; outside a namespace, each led a session of its own.
        owns_namespace (`bool`): Whether the caller is the first process of a PID namespace, where one call reaches all.

    Returns:
        `bool`: Whether there may be some to reap with [`reap_everything`], apart from `pids`.
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
    Reap what is left of a program, after [`kill_everything`].

    Args:
        owns_namespace (`bool`): As above. Otherwise the caller must be a subreaper, so that orphans are its children.
    """
    while not owns_namespace and _has_children():
        for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that none forks while others die
            for descendant in _descendants():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(descendant, number)
        _reap()
    if owns_namespace:
        _reap()


def empty_folders(folders: Iterable[str]) -> None:
    """Remove what a program wrote, also what it made unreadable or nested without end."""
    for folder in folders:
        with contextlib.suppress(OSError):
            status = os.stat(folder)
            # A folder in memory has the size of its entries; elsewhere the size says nothing, and a look is needed.
            if status.st_mode & 0o700 == 0o700 and (status.st_size == 0 or not os.listdir(folder)):
                continue
        _empty(folder)


def remove_ipc_objects() -> None:
    """Remove the System V objects of this IPC namespace, which outlive the processes that made them."""
    controls: dict[str, Callable[[int], Any]] = {
        "shm": lambda key: _libc.shmctl(key, _IPC_RMID, None),
        "sem": lambda key: _libc.semctl(key, 0, _IPC_RMID),
        "msg": lambda key: _libc.msgctl(key, _IPC_RMID, None),
    }
    for kind, control in controls.items():
        with contextlib.suppress(OSError), open(f"/proc/sysvipc/{kind}") as file:
            for line in file.readlines()[1:]:
                control(int(line.split()[1]))


def _others() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def _descendants() -> list[int]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError), open(f"/proc/{name}/stat", "rb") as file:
                parent = int(file.read().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    found, queue = [], [os.getpid()]
    while queue:
        offspring = children.get(queue.pop(), [])
        found += offspring
        queue += offspring
    return found


def _has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _empty(top: str) -> None:
    # Folders are moved to the top before they are emptied: neither depth nor the length of a path can stop this.
    number = 0
    pending = [top]
    while pending:
        folder = pending.pop()
        with contextlib.suppress(OSError):
            os.chmod(folder, 0o700)
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in list(entries):
                if entry.is_dir(follow_symlinks=False):
                    with contextlib.suppress(OSError):
                        os.chmod(entry.path, 0o700)
                        number += 1
                        moved = os.path.join(top, f".emptying-{os.getpid()}-{number}")
                        os.rename(entry.path, moved)
                        pending.append(moved)
                else:
                    with contextlib.suppress(OSError):
                        os.unlink(entry.path)
        if folder != top:
            with contextlib.suppress(OSError):
                os.rmdir(folder)
