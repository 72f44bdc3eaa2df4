"""Call functions of the C library that Python's standard library has no names for."""

from __future__ import annotations

import ctypes
import os


# Options of prctl(2).
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 36, 38
libc = ctypes.CDLL(None, use_errno=True)
# Looked up here, before any fork: `ctypes` stores a function at its first use, in memory that a child would have to copy.
prctl = libc.prctl
# Unlike `os.waitpid`, it returns a negative number if there is no child. An exception costs many pages of memory.
waitpid = libc.waitpid
# The C library's own fork: `os.fork` also runs the hooks that modules registered for the child, which costs as much again. A
# process that forks has one thread and holds no lock, so the hooks have nothing to repair.
fork = ctypes.PyDLL(None).fork


def checked(result: int, action: str) -> int:
    """
    Turn the result of a function of [`libc`] into an exception where it failed.

    Args:
        result (`int`): The return value, negative after an error.
        action (`str`): Name of the action, for the message.

    Returns:
        `int`: The return value.

    Raises:
        OSError: If the function failed, with its error number.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{action}: {os.strerror(number)}")
    return int(result)
