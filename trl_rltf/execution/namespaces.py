"""Give a worker a world of its own processes, network and mounts (namespaces(7)), on machines without bubblewrap."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Mapping


# New mount, PID, network, IPC and UTS namespaces.
_NEW_NAMESPACES, _NEW_USER_NAMESPACE = 0x00020000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000, 0x10000000
_PRIVATE, _NOSUID, _NODEV, _NOEXEC = 0x44000, 2, 4, 8  # MS_REC | MS_PRIVATE, and mount flags
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CAPABILITY_VERSION_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


def enter_namespaces(memory_folders: Mapping[str, int], as_root: bool = False) -> None:
    """
    Move on as the first process of new namespaces. The process that called stays behind, waits, and ends with it.

    Args:
        memory_folders (`Mapping[str, int]`): Folders that become file systems in memory, and their sizes in bytes.
        as_root (`bool`, *optional*, defaults to `False`): Go without a new user namespace.

    Raises:
        OSError: If the kernel refuses. Nothing that matters has changed then, but the process should end.
    """
    user, group = os.getuid(), os.getgid()
    _checked(_libc.unshare(_NEW_NAMESPACES | (0 if as_root else _NEW_USER_NAMESPACE)), "unshare")
    if not as_root:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    _checked(_libc.mount(b"none", b"/", None, _PRIVATE, None), "mount /")
    pid = os.fork()
    if pid:
        _wait_and_end(pid)
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    flags = _NOSUID | _NODEV | _NOEXEC
    _checked(_libc.mount(b"proc", b"/proc", b"proc", flags, None), "mount /proc")
    for folder, size in memory_folders.items():
        options = f"size={size},mode=700,nr_inodes=16384".encode()
        _checked(_libc.mount(b"tmpfs", folder.encode(), b"tmpfs", _NOSUID | _NODEV, options), f"mount {folder}")


def drop_capabilities() -> None:
    """Give up, for good, what root may do, or the first process of a user namespace in it."""
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    _checked(_libc.capset(ctypes.byref(header), none), "capset")


def _wait_and_end(pid: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for descriptor in (0, 1):  # the pipes to the caller belong to the first process of the namespaces alone
        os.close(descriptor)
    _, status = os.waitpid(pid, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _checked(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
