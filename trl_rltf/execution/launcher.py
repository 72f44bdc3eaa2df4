"""Start a command with the signals of a fresh process, whatever the caller ignores or blocks: `launcher.py COMMAND...`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys


def reset_signals() -> None:
    """
    Block no signal, and ignore none but the two that each Python ignores. A process inherits what its caller ignores and
    blocks, also through `exec`; a worker needs SIGCHLD, and its programs all of them.
    """
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) == signal.SIG_IGN:
            with contextlib.suppress(OSError, ValueError):  # two cannot be set, and some are the C library's own
                signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


if __name__ == "__main__":
    reset_signals()
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    os.execvp(sys.argv[1], sys.argv[1:])
