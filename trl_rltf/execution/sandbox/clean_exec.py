"""Start a command with default signals and limits: `clean_exec.py COMMAND...`."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys


_STACK_BYTES = 8 * 2**20  # as on most machines; the C library reserves as much per thread


def main() -> None:
    """Reset what was inherited, and become the command."""
    reset_inherited_state()
    os.execvp(sys.argv[1], sys.argv[1:])


def reset_inherited_state() -> None:
    """
    Reset the state that a process inherits through `exec`.

    If a caller ignores SIGCHLD, for example, its processes get no exit codes of their children. Signals that it blocks never
    reach a program.
    """
    for number in signal.valid_signals():
        with contextlib.suppress(OSError, ValueError):  # two signals cannot be set, and some belong to the C library
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft == resource.RLIM_INFINITY or soft > _STACK_BYTES:
        resource.setrlimit(resource.RLIMIT_STACK, (_STACK_BYTES, hard))


if __name__ == "__main__":
    main()
