"""What stands between a program and the machine: bubblewrap where it works, resource limits always."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path


ISOLATION_CHOICES = ("auto", "strict", "bubblewrap", "process")
# Under bubblewrap. Not /tmp: the interpreter, or this package, may live there, and scratch folders are emptied.
SCRATCH_FOLDERS = ("/scratch", "/dev/shm")
_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALL_HINT = (
    "Install bubblewrap (`apt-get install bubblewrap` or `dnf install bubblewrap`) and allow user namespaces "
    "(`sysctl kernel.unprivileged_userns_clone=1`, or `kernel.apparmor_restrict_unprivileged_userns=0` on Ubuntu)."
)


# Ends in an error if the settings of the kernel can be written: a trainer that runs as root owns them.
_TRIAL = (
    "import os, sys; sys.exit('/proc/sys is writable' if os.access('/proc/sys/kernel/core_pattern', os.W_OK) else 0)"
)


@dataclass(frozen=True, slots=True)
class Isolation:
    """
    What keeps programs apart from the machine.

    Args:
        name (`str`): `"bubblewrap"` or `"process"`.
        filesystem (`bool`): Programs see system libraries read-only and their own scratch folder, nothing else.
        network (`bool`): Programs have no network.
        processes (`bool`): Programs cannot see or signal processes outside, nor outlive their test by any means.
        limits (`bool`): CPU time, address space, file size, output, open files and processes are bounded. Always true.
        missing (`str`): Why a stronger isolation is not in force; empty when it is.
    """

    name: str
    filesystem: bool
    network: bool
    processes: bool
    limits: bool = True
    missing: str = ""


def choose_isolation(wanted: str) -> Isolation:
    """
    Find the isolation that this machine gives.

    Args:
        wanted (`str`): `"auto"` takes the strongest that works, `"strict"` and `"bubblewrap"` demand bubblewrap, and
            `"process"` asks for limits alone.

    Returns:
        [`Isolation`]: What will be in force.

    Raises:
        ValueError: If `wanted` is none of the four.
        RuntimeError: If what is demanded does not work here. The message says what to install.
    """
    if wanted not in ISOLATION_CHOICES:
        raise ValueError(f"`isolation` is {wanted!r}, but must be one of {', '.join(map(repr, ISOLATION_CHOICES))}.")
    if wanted == "process":
        return Isolation("process", False, False, False, missing="not asked for")
    problem = _bubblewrap_problem()
    if not problem:
        return Isolation("bubblewrap", True, True, True)
    if wanted == "auto":
        return Isolation("process", False, False, False, missing=problem)
    raise RuntimeError(
        f"`isolation={wanted!r}` needs file-system, network and process isolation, but {problem}. {_INSTALL_HINT}"
    )


@functools.cache
def _bubblewrap_problem() -> str:
    """Why bubblewrap cannot be used, or an empty text. Tried for real: many containers have it and forbid it."""
    if shutil.which("bwrap") is None:
        return "bubblewrap (`bwrap`) is not installed"
    try:
        trial = _try([*_bubblewrap_command(2**20), sys.executable, "-I", "-S", "-c", _TRIAL])
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not start ({error})"
    if trial.returncode != 0:
        return f"bubblewrap does not work here ({trial.stderr.strip()[:300]})"
    return ""


@functools.cache
def _user_namespace_flags() -> tuple[str, ...]:
    """Keep programs from making user namespaces of their own, where bubblewrap is new enough (0.8) to know how."""
    flags = ("--unshare-user", "--disable-userns")
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        if _try(["bwrap", "--unshare-all", *flags, "--ro-bind", "/", "/", "true"]).returncode == 0:
            return flags
    return ()


def _try(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=worker_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def worker_environment() -> dict[str, str]:
    """The whole environment of a worker. It is written from nothing, so that no secret can be in it."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": "/nonexistent",
        "PYTHONPATH": str(_PACKAGE.parent),
        "PYTHONHASHSEED": "0",  # the order of a set must not flip a verdict
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


def worker_command(isolation: Isolation, output_limit: int) -> list[str]:
    """
    The command that starts a worker.

    Args:
        isolation ([`Isolation`]): What to put around it.
        output_limit (`int`): Bytes that the scratch folder of a program may hold.

    Returns:
        `list[str]`: Program and arguments.
    """
    worker = [sys.executable, "-s", "-P", "-m", "trl_rltf.execution.worker"]
    return [*_bubblewrap_command(output_limit), *worker] if isolation.name == "bubblewrap" else worker


def _bubblewrap_command(scratch_bytes: int) -> list[str]:
    command = ["bwrap", "--unshare-all", *_user_namespace_flags(), "--as-pid-1", "--new-session", "--cap-drop", "ALL"]
    for folder in ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"):
        command += ["--ro-bind-try", folder, folder]
    for file in ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/alternatives"):
        command += ["--ro-bind-try", file, file]
    command += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"]
    for folder in SCRATCH_FOLDERS:
        command += ["--size", str(scratch_bytes), "--tmpfs", folder]
    folders = _python_folders()
    for folder in folders:
        command += ["--ro-bind", folder, folder]
    if not any(folder.startswith("/tmp/") for folder in folders):
        command += ["--symlink", SCRATCH_FOLDERS[0], "/tmp"]
    # Last: the root and /dev are writable memory otherwise, which nothing would empty.
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", SCRATCH_FOLDERS[0]]


def _python_folders() -> list[str]:
    """The interpreter, its libraries and this package. Not the folder around it: data with the answers may lie there."""
    paths = {
        sys.prefix,
        sys.base_prefix,
        sys.exec_prefix,
        *map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib")),
    }
    paths |= {str(_PACKAGE), str(Path(sys.executable).resolve().parent)}
    system = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"}
    outside = [path for path in paths if path and not system & {path, *map(str, Path(path).parents)}]
    return sorted(filter(os.path.isdir, outside))
