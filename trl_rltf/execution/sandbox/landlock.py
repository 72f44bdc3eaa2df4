"""Keep programs out of the file system with Landlock, see landlock(7)."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterable

from .libc import PR_SET_NO_NEW_PRIVS, checked, libc, prctl


_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on all architectures
_VERSION_FLAG, _RULE_PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_ALL_OF_VERSION_1, _REFER, _TRUNCATE, _IOCTL_DEVICE = (1 << 13) - 1, 1 << 13, 1 << 14, 1 << 15
_DEVICES_AND_SOCKETS = (
    1 << 6 | 1 << 9 | 1 << 11
)  # rights to make these: a device that root makes gives access to the whole disk
_BIND_AND_CONNECT_TCP = 3
_ABSTRACT_SOCKETS_AND_SIGNALS = 3


class _RulesetAttributes(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def landlock_version() -> int:
    """Return the version of Landlock, or 0. From 6 on, it also keeps signals inside."""
    return max(0, int(libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)))


class FileRules:
    """
    The files that a process may open.

    The rules are made once, and each process of a program enforces them on itself.

    Args:
        writable (`Iterable[str]`): Folders in which all is allowed.
        readable (`Iterable[str]`, *optional*): Files and folders to read and execute. Missing ones are skipped.
        listed (`Iterable[str]`, *optional*): Folders in which names can be listed.
        devices (`Iterable[str]`, *optional*): Files to read and write.

    Raises:
        OSError: If the kernel has no Landlock.
    """

    def __init__(
        self,
        writable: Iterable[str],
        readable: Iterable[str] = (),
        listed: Iterable[str] = (),
        devices: Iterable[str] = (),
    ):
        version = landlock_version()
        files = _ALL_OF_VERSION_1
        for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEVICE)):
            files |= right if version >= since else 0
        attributes = _RulesetAttributes(
            files,
            _BIND_AND_CONNECT_TCP if version >= 4 else 0,
            _ABSTRACT_SOCKETS_AND_SIGNALS if version >= 6 else 0,
        )
        size = 24 if version >= 6 else 16 if version >= 4 else 8
        self.descriptor = checked(libc.syscall(_CREATE_RULESET, ctypes.byref(attributes), size, 0), "Landlock")
        for paths, rights in (
            (readable, _EXECUTE | _READ_FILE | _READ_DIR),
            (listed, _READ_DIR),
            (writable, files & ~(_IOCTL_DEVICE | _DEVICES_AND_SOCKETS)),
            (devices, _READ_FILE | _WRITE_FILE),
        ):
            for path in paths:
                with contextlib.suppress(FileNotFoundError):
                    self._allow(path, rights & files)

    def _allow(self, path: str, rights: int) -> None:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(path):
                rights &= _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
            rule = _PathBeneath(rights, descriptor)
            checked(libc.syscall(_ADD_RULE, self.descriptor, _RULE_PATH_BENEATH, ctypes.byref(rule), 0), "Landlock")
        finally:
            os.close(descriptor)

    def enforce(self) -> None:
        """Enforce the rules on this process and all that it starts, for good."""
        checked(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "Landlock")
        checked(libc.syscall(_RESTRICT_SELF, self.descriptor, 0), "Landlock")
