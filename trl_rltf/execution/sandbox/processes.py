"""Find all processes that descend from one, and kill them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable


_MAX_SECONDS, _MAX_CALLS = 10.0, 50
# Most kernels have this file; without it, all processes of the machine are searched.
CAN_ASK_FOR_CHILDREN = os.path.exists("/proc/thread-self/children")


def descendants(root: int | None = None) -> list[int]:
    """
    List the children of a process, their children, and so on.

    Args:
        root (`int`, *optional*): Identifier of the process; this one by default.

    Returns:
        `list[int]`: Identifiers, without those of processes that wait to be reaped.
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
    """List the children of a process, with those that wait to be reaped."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    return found


def kill_tree(root: int) -> None:
    """
    Kill a worker and all that it has started, from the outside.

    The worker is stopped first and killed last: as long as it lives, orphans of its programs become its children, which are
    found.

    Args:
        root (`int`): Identifier of the worker.
    """
    _signal([root], signal.SIGSTOP)
    deadline = time.monotonic() + _MAX_SECONDS
    while descendants(root) and time.monotonic() < deadline:
        kill_descendants(root)
    _signal([root], signal.SIGKILL)


def kill_descendants(root: int) -> None:
    """Kill the descendants of a subreaper. Call this until none is left."""
    pids = descendants(root)
    for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that none forks while others die
        _signal(pids, number)
    # Processes that fork and end all the time are gone before that list is made. Each fork becomes a child of this process, and
    # lives longer than it takes to list the children.
    for _ in range(_MAX_CALLS if CAN_ASK_FOR_CHILDREN else 0):
        _signal(children_of(root), signal.SIGKILL)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
