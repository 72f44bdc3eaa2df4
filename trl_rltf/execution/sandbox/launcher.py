"""Start a command as a fresh process would, whatever the caller ignores, blocks or allows: `launcher.py COMMAND...`."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys


_STACK_BYTES = 8 * 2**20  # as on most machines; the C library reserves as much for each thread


def main() -> None:
    """
    Reset what a process inherits through `exec`, and become the command. A caller that ignores SIGCHLD, for example, leaves
    its processes without exit codes, and blocked signals never reach a program.
    """
    for number in signal.valid_signals():
        with contextlib.suppress(OSError, ValueError):  # two cannot be set, and some are the C library's own
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft == resource.RLIM_INFINITY or soft > _STACK_BYTES:
        resource.setrlimit(resource.RLIMIT_STACK, (_STACK_BYTES, hard))
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
