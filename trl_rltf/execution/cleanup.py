"""Leave nothing of a program behind: no process, no zombie, no file."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Iterable
from typing import Any


def count_processes(owns_namespace: bool) -> int:
    """Number of processes that the program has, whoever their parents are."""
    return len(_others() if owns_namespace else _descendants())


def kill_everything(pid: int, owns_namespace: bool) -> None:
    """
    Kill and reap all processes of a program, whatever group or session they moved to.

    Args:
        pid (`int`): The process of the program, which led a session of its own.
        owns_namespace (`bool`): Whether the caller is the first process of a PID namespace. Otherwise it must be a
            subreaper, so that orphans are its children.
    """
    if owns_namespace:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        _reap()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    while _has_children():
        for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that none forks while others die
            for descendant in _descendants():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(descendant, number)
        _reap()


def empty_folders(folders: Iterable[str]) -> None:
    """Remove what a program wrote, also what it made unreadable."""
    for folder in folders:
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                _remove(entry)


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


def _remove(entry: os.DirEntry[str]) -> None:
    def unlock_and_retry(function: Callable[..., Any], path: str, _: Any) -> None:
        with contextlib.suppress(OSError):
            os.chmod(os.path.dirname(path), 0o700)
            os.chmod(path, 0o700)
            function(path)

    if entry.is_dir(follow_symlinks=False):
        with contextlib.suppress(OSError):
            os.chmod(entry.path, 0o700)
        shutil.rmtree(entry.path, onerror=unlock_and_retry)
    else:
        with contextlib.suppress(OSError):
            os.unlink(entry.path)
