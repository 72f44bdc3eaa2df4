"""Find all processes that descend from one, and kill them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable


_MAX_SECONDS, _MAX_CALLS = 10.0, 50
# In most kernels; elsewhere all processes of the machine are looked through.
CAN_ASK_FOR_CHILDREN = os.path.exists("/proc/thread-self/children")


def descendants(root: int | None = None) -> list[int]:
    """
    Identifiers of the children of a process, of their children, and so on; not of those that only wait to be reaped.

    Args:
        root (`int`, *optional*): The process; this one by default.
    """
    children: dict[int, list[int]] = {}
    dead = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError), open(f"/proc/{name}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
                children.setdefault(int(parent), []).append(int(name))
                if state in b"ZX":
                    dead.add(int(name))
    found, queue = [], [os.getpid() if root is None else root]
    while queue:
        offspring = children.get(queue.pop(), [])
        found += offspring
        queue += offspring
    return [pid for pid in found if pid not in dead]


def children_of(pid: int) -> list[int]:
    """Children of a process, also those that only wait to be reaped; see proc_pid_children(5)."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    return found


def kill_tree(root: int) -> None:
    """
    Kill a worker and all that it has started, from the outside. It is stopped first: as long as it lives, what its programs
    leave behind becomes its child, where it is found.
    """
    _signal([root], signal.SIGSTOP)
    deadline = time.monotonic() + _MAX_SECONDS
    while descendants(root) and time.monotonic() < deadline:
        kill_descendants(root)
    _signal([root], signal.SIGKILL)


def kill_descendants(root: int) -> None:
    """Kill what descends from a process to which orphans come; called until nothing is left."""
    everybody = descendants(root)
    for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that none forks while others die
        _signal(everybody, number)
    # Processes that fork and end all the time are gone before that list is made; each becomes a child here, and lives longer
    # than it takes to look for these.
    for _ in range(_MAX_CALLS if CAN_ASK_FOR_CHILDREN else 0):
        _signal(children_of(root), signal.SIGKILL)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
