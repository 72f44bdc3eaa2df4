"""Start a command that reads hostile text, with limits and without network."""

# The command does not run the text, so this has fewer layers than a worker: limits on all kernels, and rules about files and a
# filter of system calls where the kernel has them.

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from typing import TypedDict

from .clean_exec import reset_inherited_state
from .command_check import worker_environment
from .device_paths import DEVICES
from .file_view import SYSTEM_FILES, SYSTEM_FOLDERS
from .landlock import FileRules, landlock_version
from .libc import PR_SET_PDEATHSIG, prctl
from .rlimits import lowest_limit
from .seccomp import SystemCallFilter


_MAX_OPEN_FILES = 256


class Confinement(TypedDict):
    """
    What a command may use.

    Args:
        cpu_seconds (`int`): CPU seconds.
        memory_bytes (`int`): Bytes of address space.
        output_bytes (`int`): Bytes of each file that it writes, standard output included.
        readable (`list[str]`): Files and folders that it may read and execute, besides the libraries of the system.
        parent (`int`): Process that starts it; the command ends with it.
    """

    cpu_seconds: int
    memory_bytes: int
    output_bytes: int
    readable: list[str]
    parent: int


def confined(confinement: Confinement, command: Sequence[str]) -> list[str]:
    """
    Put together the command line that starts a command in confinement.

    Args:
        confinement ([`Confinement`]): What it may use.
        command (`Sequence[str]`): Path of the program, and its arguments.

    Returns:
        `list[str]`: The whole command line. It needs [`confined_environment`].
    """
    return [sys.executable, "-S", "-s", "-P", "-m", __name__, json.dumps(confinement), *command]


def confined_environment() -> dict[str, str]:
    """Build the environment of a command from scratch: no secrets, no settings."""
    return worker_environment()


def main() -> None:
    """Confine this process, and become the command."""
    confinement: Confinement = json.loads(sys.argv[1])
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != confinement["parent"]:  # it ended before the line above
        sys.exit("The process that started this command has ended.")
    reset_inherited_state()
    for kind, bound in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _MAX_OPEN_FILES),
        (resource.RLIMIT_FSIZE, confinement["output_bytes"]),
        (resource.RLIMIT_CPU, confinement["cpu_seconds"]),
        (resource.RLIMIT_AS, confinement["memory_bytes"]),
    ):
        resource.setrlimit(kind, lowest_limit(kind, bound))
    if landlock_version():
        system = [path for path in (*SYSTEM_FOLDERS, *SYSTEM_FILES) if os.path.exists(path)]
        FileRules(writable=[], readable=[*system, *confinement["readable"]], devices=DEVICES).enforce()
    SystemCallFilter.of_worker().install()
    try:
        os.execv(sys.argv[2], sys.argv[2:])
    except OSError as error:
        sys.exit(f"{sys.argv[2]} does not start: {error}")


if __name__ == "__main__":
    main()
