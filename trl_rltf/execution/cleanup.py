"""Leave nothing of a program behind: no process, no zombie, no file."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any


# Files that a program may have in each of its folders. In memory, each takes about 1 KB of the kernel's; on a disk, removing
# one may take milliseconds, and the worker is to be ready for the next program in seconds.
MAX_FILES, MAX_FILES_ON_DISK = 2**14, 2**12
_MAX_BYTES_OF_PATHS = 2**23  # of all of its folders together, while they are counted
_MAX_PATH = 4096  # bytes that the kernel takes
_IPC_RMID = 0
_MAX_SECONDS, _MAX_CALLS = 10.0, 50
# In most kernels; elsewhere all processes of the machine are looked through.
CAN_ASK_FOR_CHILDREN = os.path.exists("/proc/thread-self/children")
_libc = ctypes.CDLL(None, use_errno=True)


def count_processes(owns_namespace: bool) -> int:
    """Number of processes that the program has, whoever their parents are."""
    return len(_others() if owns_namespace else descendants())


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
        _kill_descendants(os.getpid())
    _reap()


def _kill_descendants(root: int) -> None:
    """Kill what descends from a process to which orphans come; called until nothing is left."""
    everybody = descendants(root)
    for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that none forks while others die
        _signal(everybody, number)
    # Processes that fork and end all the time are gone before that list is made; each becomes a child here, and lives longer
    # than it takes to look for these.
    for _ in range(_MAX_CALLS if CAN_ASK_FOR_CHILDREN else 0):
        _signal(children_of(root), signal.SIGKILL)


def children_of(pid: int) -> list[int]:
    """Children of a process, also those that only wait to be reaped; see proc_pid_children(5)."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    return found


def has_too_many_files(folders: Iterable[str]) -> bool:
    """Whether a program has more files, folders and links in one of its folders than it may have."""
    for folder in folders:
        with contextlib.suppress(OSError):
            if os.path.ismount(folder):  # a file system of its own
                status = os.statvfs(folder)
                too_many = status.f_files - status.f_ffree > MAX_FILES
            else:
                too_many = _has_more_entries(folder)
            if too_many:
                return True
    return False


def empty_folders(folders: Iterable[str]) -> bool:
    """
    Remove what a program wrote, also what it made unreadable or nested without end.

    Args:
        folders (`Iterable[str]`): Its folders. One that is gone, or has become a file or a link, is made again.

    Returns:
        `bool`: Whether all of them can be used again.
    """
    usable = True
    for folder in folders:
        try:
            status = os.lstat(folder)
        except OSError:
            status = None
        # A folder in memory has the size of its entries; elsewhere the size says nothing, and a look is needed.
        if status is None or not stat.S_ISDIR(status.st_mode):
            usable &= _make_again(folder)
        elif status.st_mode & 0o700 != 0o700 or (status.st_size != 0 and not _is_empty(folder)):
            _empty(folder)
    return usable


def remove_folders(folders: Iterable[str]) -> None:
    """Remove folders with all that is in them, as far as that is possible."""
    for folder in folders:
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(os.lstat(folder).st_mode):
                _empty(folder)
                os.rmdir(folder)


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


def kill_tree(root: int) -> None:
    """
    Kill a worker and all that it has started, from the outside. It is stopped first: as long as it lives, what its programs
    leave behind becomes its child, where it is found.
    """
    _signal([root], signal.SIGSTOP)
    deadline = time.monotonic() + _MAX_SECONDS
    while descendants(root) and time.monotonic() < deadline:
        _kill_descendants(root)
    _signal([root], signal.SIGKILL)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _has_children() -> bool:
    """Reap the children that have ended; returns whether there are others."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _has_more_entries(top: str) -> bool:
    num_entries = num_bytes = 0
    pending = [top]
    while pending:
        for entry in _entries(pending.pop()):
            num_entries += 1
            if _is_folder(entry):
                size = len(os.fsencode(entry.path))
                if size >= _MAX_PATH:  # out of reach: nobody can say what is in there
                    return True
                num_bytes += size
                pending.append(entry.path)
            if num_entries > MAX_FILES_ON_DISK or num_bytes > _MAX_BYTES_OF_PATHS:
                return True
    return False


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """What is in a folder, one by one: a list of all might need more memory than a worker has."""
    with contextlib.suppress(OSError):
        try:
            entries = os.scandir(folder)
        except PermissionError:
            os.chmod(folder, 0o700)
            entries = os.scandir(folder)
        with entries:
            yield from entries


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with contextlib.suppress(OSError):
        return entry.is_dir(follow_symlinks=False)
    return False


def _is_empty(folder: str) -> bool:
    return next(_entries(folder), None) is None


def _make_again(folder: str) -> bool:
    with contextlib.suppress(OSError):
        os.unlink(folder)
    with contextlib.suppress(OSError):
        os.mkdir(folder, mode=0o700)
    return os.path.isdir(folder) and not os.path.islink(folder)


def _empty(top: str) -> None:
    # Folders are moved to the top before they are emptied: neither depth nor the length of a path can stop this.
    name, number = f".{os.urandom(8).hex()}", 0
    _try(os.chmod, top, 0o700)
    is_going_on = True
    while is_going_on:
        is_going_on = False
        for folder in _entries(top):
            if not _is_folder(folder):
                is_going_on |= _try(os.unlink, folder.path)
                continue
            _try(os.chmod, folder.path, 0o700)
            for entry in _entries(folder.path):
                if _is_folder(entry):
                    number += 1
                    _try(os.chmod, entry.path, 0o700)
                    _try(os.rename, entry.path, f"{top}/{name}-{number}")
                else:
                    _try(os.unlink, entry.path)
            is_going_on |= _try(os.rmdir, folder.path)


def _try(call: Callable[..., None], *arguments: Any) -> bool:
    try:
        call(*arguments)
    except OSError:
        return False
    return True
