"""What stands between a program and the machine: bubblewrap where it works, else what the kernel offers, limits always."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import SandboxError
from .landlock import landlock_version


ISOLATION_CHOICES = ("auto", "strict", "bubblewrap", "namespaces", "landlock", "process")
# Under bubblewrap. Not /tmp: the interpreter, or this package, may live there, and scratch folders are emptied.
SCRATCH_FOLDERS = ("/scratch", "/dev/shm")
_SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/alternatives")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
# Workers of root take a user id from here on, one each. Nobody is expected to have one so high.
_OWN_USERS = 2**30
_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALL_HINT = (
    "Install bubblewrap (`apt-get install bubblewrap` or `dnf install bubblewrap`) and allow user namespaces "
    "(`sysctl kernel.unprivileged_userns_clone=1`, or `kernel.apparmor_restrict_unprivileged_userns=0` on Ubuntu)."
)


_CHANGE_USER = [sys.executable, "-I", "-S", "-c", f"import os; os.setresuid({_OWN_USERS}, 0, 0)"]
_FLAGS_OF_ROOT = tuple(
    "--unshare-ipc --unshare-pid --unshare-net --unshare-uts --unshare-cgroup-try --cap-drop ALL --cap-add CAP_SETUID".split()
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
        name (`str`): `"bubblewrap"`, `"namespaces"`, `"landlock"` or `"process"`.
        filesystem (`bool`): Programs can open system libraries, read-only, and their own scratch folder, nothing else.
        network (`bool`): Programs have no network.
        processes (`bool`): Programs cannot see or signal processes outside, nor outlive their test by any means.
        limits (`bool`): CPU time, address space, file size, output, open files and processes are bounded. Always true.
        layers (`tuple[str, ...]`): What does it, from the outside in.
        missing (`str`): Why a stronger isolation is not in force; empty when it is.
    """

    name: str
    filesystem: bool
    network: bool
    processes: bool
    limits: bool = True
    layers: tuple[str, ...] = ("rlimits",)
    missing: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether files, network and processes are all kept apart."""
        return self.filesystem and self.network and self.processes

    @property
    def has_own_root(self) -> bool:
        """Whether programs have a file system of their own, rather than rules about the one that is there."""
        return self.name == "bubblewrap"


def choose_isolation(wanted: str) -> Isolation:
    """
    Find the isolation that this machine gives.

    Args:
        wanted (`str`): `"auto"` takes the strongest that works, `"strict"` the strongest if it keeps files, network and
            processes apart; `"bubblewrap"`, `"namespaces"` (with Landlock), `"landlock"` and `"process"` (limits, and a
            filter of system calls) demand one by name.

    Returns:
        [`Isolation`]: What will be in force.

    Raises:
        ValueError: If `wanted` is none of these.
        SandboxError: If what is demanded does not work here. The message says what to install.
    """
    if wanted not in ISOLATION_CHOICES:
        raise ValueError(f"`isolation` is {wanted!r}, but must be one of {', '.join(map(repr, ISOLATION_CHOICES))}.")
    limits = ("seccomp", "rlimits") if _can_filter() else ("rlimits",)
    if wanted == "process":
        return Isolation("process", False, _can_filter(), False, layers=limits, missing="not asked for")
    problems = []
    for name in ("bubblewrap", "namespaces", "landlock"):
        if wanted not in ("auto", "strict", name):
            continue
        problem = _PROBLEMS[name]()
        if problem:
            problems.append(problem)
        elif name == "bubblewrap":
            return Isolation(name, True, True, True, layers=("bubblewrap", *limits))
        elif name == "namespaces":
            return Isolation(name, True, True, True, layers=("namespaces", f"Landlock {landlock_version()}", *limits))
        elif wanted != "strict":
            version = landlock_version()
            why = "; ".join(problems) or "not asked for"
            return Isolation(name, True, True, False, layers=(f"Landlock {version}", *limits), missing=why)
    why = "; ".join(problems)
    if wanted == "auto":
        return Isolation("process", False, _can_filter(), False, layers=limits, missing=why)
    raise SandboxError(
        f"`isolation={wanted!r}` needs file-system, network and process isolation, but {why}. {_INSTALL_HINT}"
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


def _namespaces_problem() -> str:
    return _landlock_problem() or (_namespaces_trial(as_root=False) if not _changes_user("namespaces") else "")


@functools.cache
def _namespaces_trial(as_root: bool) -> str:
    code = (
        "import sys; from trl_rltf.execution.namespaces import enter_namespaces; "
        f"enter_namespaces({{sys.argv[1]: 2**20}}, as_root={as_root})"
    )
    try:
        with tempfile.TemporaryDirectory(prefix="trl-rltf-") as folder:
            trial = _try([sys.executable, "-s", "-P", "-c", code, folder])
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"namespaces cannot be made ({error})"
    if trial.returncode != 0:
        return f"namespaces cannot be made ({trial.stderr.strip().splitlines()[-1:] or trial.returncode})"
    return ""


@functools.cache
def _landlock_problem() -> str:
    if not _can_filter():
        return "system calls cannot be filtered (seccomp) on this kernel and machine"
    return (
        "" if landlock_version() else "the kernel has no Landlock (5.13 or newer, and in its list of security modules)"
    )


@functools.cache
def _can_filter() -> bool:
    code = "import sys; from trl_rltf.execution.seccomp import SystemCallFilter; sys.exit(not SystemCallFilter().install())"
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return _try([sys.executable, "-s", "-P", "-c", code]).returncode == 0
    return False


_PROBLEMS: dict[str, Callable[[], str]] = {
    "bubblewrap": _bubblewrap_problem,
    "namespaces": _namespaces_problem,
    "landlock": _landlock_problem,
}


def _changes_user(name: str) -> bool:
    """
    Whether each worker takes a user id of its own: the kernel bounds the processes of a user, but not those of root. For
    that, root goes without a user namespace, in which there are no other ids.
    """
    if os.getuid() != 0 or not _can_filter():  # without the filter, a program would take the id of root again
        return False
    return _CHANGES_USER[name]()


@functools.cache
def _bubblewrap_changes_user() -> bool:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return _try(["bwrap", *_FLAGS_OF_ROOT, "--ro-bind", "/", "/", *_CHANGE_USER]).returncode == 0
    return False


@functools.cache
def _process_changes_user() -> bool:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return _try(_CHANGE_USER).returncode == 0
    return False


_CHANGES_USER: dict[str, Callable[[], bool]] = {
    "bubblewrap": _bubblewrap_changes_user,
    "namespaces": lambda: _process_changes_user() and not _namespaces_trial(as_root=True),
    "landlock": _process_changes_user,
    "process": _process_changes_user,
}


@functools.cache
def _namespace_flags() -> tuple[str, ...]:
    """What bubblewrap unshares. Programs are kept from making user namespaces where it is new enough (0.8) to know how."""
    if _changes_user("bubblewrap"):
        return _FLAGS_OF_ROOT
    usual = ("--unshare-all", "--cap-drop", "ALL")
    limited = (*usual, "--unshare-user", "--disable-userns")
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        if _try(["bwrap", *limited, "--ro-bind", "/", "/", "true"]).returncode == 0:
            return limited
    return usual


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
    worker = [sys.executable, "-S", "-s", "-P", "-m", "trl_rltf.execution.worker"]
    return [*_bubblewrap_command(output_limit), *worker] if isolation.name == "bubblewrap" else worker


def worker_layout(isolation: Isolation, scratch: str | None, output_limit: int) -> dict[str, Any]:
    """
    What a worker has to do itself to lock its programs in.

    Args:
        isolation ([`Isolation`]): What is around it.
        scratch (`str` or `None`): Folder for the files of a program, where it has no file system of its own.
        output_limit (`int`): Bytes that the scratch folder of a program may hold, where it lies in memory.

    Returns:
        `dict`: `scratch` (folders to empty after each program), `namespaces` (whether to make some), `memory_folders` (what
        to mount in them, and sizes), `file_rules` (arguments of [`~landlock.FileRules`], or `None`) and `own_user` (the user id
        to take, or `None`).
    """
    layout: dict[str, Any] = {"namespaces": isolation.name == "namespaces", "memory_folders": {}, "file_rules": None}
    layout["own_user"] = _OWN_USERS + secrets.randbelow(_OWN_USERS) if _changes_user(isolation.name) else None
    if scratch is None:
        return {**layout, "scratch": list(SCRATCH_FOLDERS)}
    own_folders = [scratch]
    if layout["namespaces"]:
        own_folders.append("/dev/shm")
        layout["memory_folders"] = dict.fromkeys(own_folders, output_limit)
    if isolation.filesystem:
        readable = [*_SYSTEM_FOLDERS, *_SYSTEM_FILES, *_python_folders()]
        layout["file_rules"] = {"readable": readable, "writable": own_folders, "devices": _DEVICES}
    return {**layout, "scratch": own_folders}


def _bubblewrap_command(scratch_bytes: int) -> list[str]:
    command = ["bwrap", *_namespace_flags(), "--as-pid-1", "--new-session"]
    for folder in _SYSTEM_FOLDERS:
        command += ["--ro-bind-try", folder, folder]
    for file in _SYSTEM_FILES:
        command += ["--ro-bind-try", file, file]
    command += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"]
    for folder in SCRATCH_FOLDERS:
        command += ["--size", str(scratch_bytes), "--tmpfs", folder]
    folders = _python_folders()
    for folder in folders:
        command += ["--ro-bind", folder, folder]
    if not any(folder.startswith("/tmp/") for folder in folders):
        command += ["--symlink", SCRATCH_FOLDERS[0], "/tmp"]
    # Last: the root and /dev are writable memory otherwise, which nothing would empty, and root owns its worker's /proc.
    return [
        *command,
        "--remount-ro",
        "/proc",
        "--remount-ro",
        "/dev",
        "--remount-ro",
        "/",
        "--chdir",
        SCRATCH_FOLDERS[0],
    ]


def _python_folders() -> list[str]:
    """The interpreter, its libraries and this package. Not the folder around it: data with the answers may lie there."""
    paths = {
        sys.prefix,
        sys.base_prefix,
        sys.exec_prefix,
        *map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib")),
    }
    paths |= {str(_PACKAGE), str(Path(sys.executable).resolve().parent)}
    outside = [path for path in paths if path and not {*_SYSTEM_FOLDERS} & {path, *map(str, Path(path).parents)}]
    return sorted(filter(os.path.isdir, outside))
