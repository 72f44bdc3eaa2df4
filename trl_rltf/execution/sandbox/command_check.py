"""Check whether a command works on this machine, in the environment of a worker."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Sequence

from .file_view import PACKAGE


WORKED = "the trial has worked"


def problem_of(command: Sequence[str]) -> str:
    """
    Run a command, once per process, and say why it does not work.

    Args:
        command (`Sequence[str]`): Program and arguments. It prints `WORKED` when it has worked, because a caller that
            ignores SIGCHLD gets no exit codes.

    Returns:
        `str`: The problem, or an empty text.
    """
    return _try(tuple(command))


@functools.cache
def _try(command: tuple[str, ...]) -> str:
    try:
        trial = subprocess.run(
            command,
            env=worker_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it does not start: {error}"
    if WORKED in trial.stdout:
        return ""
    return (trial.stderr.strip().splitlines() or ["it printed nothing"])[-1][:300]


def worker_environment() -> dict[str, str]:
    """Build the environment of a worker from scratch, so that it has no secrets."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": "/nonexistent",
        "PYTHONPATH": str(PACKAGE.parent),
        "PYTHONHASHSEED": "0",  # the order of a set must not flip a verdict
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "LD_BIND_NOW": "1",  # or each forked process looks up the same functions of the C library again
        "MALLOC_ARENA_MAX": "2",  # each arena reserves 64 MiB of the address space, which has a limit
    }
