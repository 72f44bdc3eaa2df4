"""Move a worker into namespaces (namespaces(7)), on machines without bubblewrap."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from .device_paths import DEVICE_LINKS, DEVICES
from .libc import PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, checked, libc, prctl
from .scratch import MAX_FILES


if TYPE_CHECKING:
    from ..wire.messages import OwnRoot


_NEW_MOUNTS = 0x00020000
# New PID, network, IPC and UTS namespaces.
_NEW_NAMESPACES, _NEW_USER_NAMESPACE = 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000, 0x10000000
_NOSUID, _NODEV, _NOEXEC, _BIND, _RECURSIVE, _PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18  # flags of mount(2)
_MOUNT_SETATTR, _FROM_HERE, _ALL_BELOW, _READ_ONLY = 442, -100, 0x8000, 1
_REMOUNT, _DETACH = 32, 2
_CAPABILITY_VERSION_3 = 0x20080522


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "user_namespace")]


def enter_namespaces(own_root: OwnRoot, as_root: bool = False) -> None:
    """
    Continue as the first process of new namespaces.

    The process that called waits for the new one, and ends with it.

    Args:
        own_root (`OwnRoot`): The file system to build. Its `folder` is removed at the end.
        as_root (`bool`, *optional*, defaults to `False`): Make no user namespace.

    Raises:
        OSError: If the kernel refuses. The process should end then.
    """
    user, group = os.getuid(), os.getgid()
    checked(libc.unshare(_NEW_NAMESPACES | (0 if as_root else _NEW_USER_NAMESPACE)), "unshare")
    if not as_root:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    pid = os.fork()
    if pid:
        _wait_and_end(pid, own_root["folder"])
    checked(prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    checked(libc.unshare(_NEW_MOUNTS), "unshare")
    _mount("none", "/", flags=_RECURSIVE | _PRIVATE)
    _build_root(**own_root)
    os.chdir(own_root["folder"])
    checked(libc.pivot_root(b".", b"."), "pivot_root")  # now the old root is mounted below the new one
    checked(libc.umount2(b".", _DETACH), "umount2")
    os.chdir("/")
    _make_read_only("/")


def _build_root(
    folder: str, view: Iterable[Iterable[str]], memory_folders: Mapping[str, int], links: Mapping[str, str]
) -> None:
    shown, covered, shown_inside = view
    _mount("tmpfs", folder, "tmpfs", _NOSUID | _NODEV, "size=1m,mode=755")
    for path in shown:
        _show(path, folder)
    for path in covered:
        _mount("tmpfs", folder + path, "tmpfs", _NOSUID | _NODEV, "size=1m,mode=755")
    for path in shown_inside:
        _show(path, folder)
    for path in covered:
        _make_read_only(folder + path)
    for path in DEVICES:
        _bind(path, folder)
        _make_read_only(folder + path, attributes=_READ_ONLY | _NOSUID)
    os.mkdir(f"{folder}/proc")
    _mount("proc", f"{folder}/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    _make_read_only(f"{folder}/proc")
    for path, size in memory_folders.items():
        os.makedirs(folder + path)
        _mount("tmpfs", folder + path, "tmpfs", _NOSUID | _NODEV, f"size={size},mode=700,nr_inodes={MAX_FILES}")
    for path, target in {**links, **DEVICE_LINKS}.items():
        os.symlink(target, folder + path)


def _show(path: str, root: str) -> None:
    _bind(path, root)
    _make_read_only(root + path, _ALL_BELOW)


def _bind(path: str, root: str) -> None:
    if os.path.isdir(path):
        os.makedirs(root + path, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(root + path, os.O_CREAT | os.O_EXCL))
    _mount(path, root + path, flags=_BIND | _RECURSIVE)


def _make_read_only(path: str, flags: int = 0, attributes: int = _READ_ONLY | _NOSUID | _NODEV) -> None:
    structure = _MountAttributes(set=attributes)
    arguments = (os.fsencode(path), flags, ctypes.byref(structure), ctypes.sizeof(structure))
    checked(libc.syscall(_MOUNT_SETATTR, _FROM_HERE, *arguments), f"mount_setattr {path}")


def _mount(source: str, target: str, kind: str = "none", flags: int = 0, options: str = "") -> None:
    arguments = (os.fsencode(source), os.fsencode(target), kind.encode())
    checked(libc.mount(*arguments, ctypes.c_ulong(flags), options.encode()), f"mount {target}")


def restrict_mounts(memory_folders: Iterable[str]) -> None:
    """
    Protect the attributes of devices, and bound the number of files.

    For a worker of root under bubblewrap, which has no options for this.

    Args:
        memory_folders (`Iterable[str]`): The folders that are file systems in memory.
    """
    for path in (*DEVICES, "/dev/tty"):
        with contextlib.suppress(FileNotFoundError):
            _mount("none", path, flags=_REMOUNT | _BIND | _READ_ONLY | _NOSUID)
    for path in memory_folders:
        _mount("tmpfs", path, "tmpfs", _REMOUNT | _NOSUID | _NODEV, f"nr_inodes={MAX_FILES}")


def change_user(user: int, file_user: int, scratch: Iterable[str], owns_processes: bool) -> None:
    """
    Take another user id, as root.

    The kernel counts and bounds the processes of a user, but not those of root.

    Args:
        user (`int`): The user id.
        file_user (`int`): The user id to open files as: the same, or that of root, which then has no privileges.
        scratch (`Iterable[str]`): Folders that the user has to write in.
        owns_processes (`bool`): Whether this is the first process of a PID namespace, whose scratch folders no other process sees.
    """
    if file_user == user:
        for folder in scratch:
            if owns_processes:
                os.chmod(folder, 0o777)
            else:
                os.chown(folder, user, -1)
    os.setresuid(user, file_user, file_user)
    if owns_processes:  # the change of user has reset it
        checked(prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def drop_capabilities() -> None:
    """Give up all capabilities for good: those of root, or of a user namespace."""
    checked(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    checked(libc.capset(ctypes.byref(header), none), "capset")


def _wait_and_end(pid: int, folder: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for descriptor in (0, 1):  # only the first process of the namespaces uses the pipes to the caller
        os.close(descriptor)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):  # empty here: the file system was in the namespace of the other process
        os.rmdir(folder)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
