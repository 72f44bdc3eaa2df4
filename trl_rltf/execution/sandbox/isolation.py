"""What stands between a program and the machine: bubblewrap where it works, else what the kernel offers, limits always."""

from __future__ import annotations

import functools
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .bubblewrap import FLAGS_OF_ROOT, LAUNCH, bubblewrap_command
from .file_view import DEVICES, SCRATCH_FOLDERS, file_view, links_to_scratch, split_folders
from .landlock import landlock_version
from .trial import WORKED, problem_of


if TYPE_CHECKING:
    from ..wire.messages import OwnRoot, SandboxLayout


ISOLATION_CHOICES = ("auto", "strict", "bubblewrap", "namespaces", "landlock", "process")
# Workers of root take a user id from here on, one each. Nobody is expected to have one so high.
_OWN_USERS = 2**30
_FIRST_TO_RENAME = 2  # version of Landlock; under the first, no file can be moved to another folder
_INSTALL_HINT = (
    "Install bubblewrap (`apt-get install bubblewrap` or `dnf install bubblewrap`) and allow user namespaces "
    "(`sysctl kernel.unprivileged_userns_clone=1`, or `kernel.apparmor_restrict_unprivileged_userns=0` on Ubuntu)."
)


_CHANGE_USER = f"import os; os.setresuid({_OWN_USERS}, 0, 0); print({WORKED!r})"
# As another user, start Python once more, as a program may, and look for libraries.
_USE_PYTHON = (
    f"import os, sys; os.setresuid(*[{_OWN_USERS}] * 3); os.execv(sys.executable, [sys.executable, '-S', '-s', '-P', '-c', "
    '\'import os, sysconfig, trl_rltf.execution.worker; os.listdir(sysconfig.get_path("purelib")); '
    f'print("{WORKED}")\'])'
)
# A trainer that runs as root owns the settings of the kernel.
_READ_ONLY = (
    "import os, sys; sys.exit('/proc/sys is writable') if os.access('/proc/sys/kernel/core_pattern', os.W_OK) else "
    f"print({WORKED!r})"
)
_FILTER = (
    "from trl_rltf.execution.sandbox.seccomp import SystemCallFilter; "
    f"print({WORKED!r} if SystemCallFilter.of_worker().install() else 'refused')"
)
_NAMESPACES = (
    "import json, sys; from trl_rltf.execution.sandbox.namespaces import enter_namespaces; "
    "enter_namespaces(json.loads(sys.argv[1]), as_root=json.loads(sys.argv[2])); "
)


class SandboxError(RuntimeError):
    """
    The sandbox does not work on this machine, or does not any more.

    Args:
        message (`str`): What is wrong, and what to do.
        reports (`Sequence[ExecutionReport]`): Reports on the programs that had been graded.
    """

    def __init__(self, message: str, reports: Sequence[Any] = ()):
        super().__init__(message)
        self.reports = list(reports)


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
        return self.name in ("bubblewrap", "namespaces")

    @property
    def warning(self) -> str:
        """What programs can do where this is not complete."""
        if self.filesystem:
            level, lack = (
                "without process isolation",
                (
                    "they are kept from files and the network, but not all of them may be found and killed when a worker dies"
                ),
            )
        else:
            lacks = ["read files"]
            lacks += (
                [] if "Landlock" in self.layers[0] else ["read and change the memory of processes of the same user"]
            )
            lacks += [] if self.network else ["use the network"]
            level, lack = "with resource limits only", f"they can {' and '.join(lacks)}"
        return (
            f"Programs run {level}, because {self.missing}: {lack}. Install bubblewrap, or pass "
            f'`isolation="{self.name}"` to accept it.'
        )


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
        return _process_isolation(limits, "not asked for")
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
        return _process_isolation(limits, why)
    raise SandboxError(
        f"`isolation={wanted!r}` needs file-system, network and process isolation, but {why}. {_INSTALL_HINT}"
    )


def _process_isolation(limits: tuple[str, ...], missing: str) -> Isolation:
    version = landlock_version()
    layers = (f"Landlock {version} (processes)", *limits) if version >= _FIRST_TO_RENAME else limits
    return Isolation("process", False, _can_filter(), False, layers=layers, missing=missing)


@functools.cache
def _bubblewrap_problem() -> str:
    """Why bubblewrap cannot be used, or an empty text. Tried for real: many containers have it and forbid it."""
    if shutil.which("bwrap") is None:
        return "bubblewrap (`bwrap`) is not installed"
    problem = problem_of(
        [*bubblewrap_command(_namespace_flags(), 2**20), sys.executable, "-I", "-S", "-c", _READ_ONLY]
    )
    return f"bubblewrap does not work here ({problem})" if problem else ""


def _namespaces_problem() -> str:
    return _landlock_problem() or (_namespaces_trial(as_root=False) if not _changes_user("namespaces") else "")


@functools.cache
def _namespaces_trial(as_root: bool, then: str = f"print({WORKED!r}, flush=True)") -> str:
    with tempfile.TemporaryDirectory(prefix="trl-rltf-") as folder:
        root = json.dumps(_own_root(folder, 2**20))
        problem = problem_of([sys.executable, "-s", "-P", "-c", _NAMESPACES + then, root, json.dumps(as_root)])
    return f"namespaces cannot be made ({problem})" if problem else ""


@functools.cache
def _landlock_problem() -> str:
    if not _can_filter():
        return "system calls cannot be filtered (seccomp) on this kernel and machine"
    return (
        "" if landlock_version() else "the kernel has no Landlock (5.13 or newer, and in its list of security modules)"
    )


@functools.cache
def _can_filter() -> bool:
    return not problem_of([sys.executable, "-s", "-P", "-c", _FILTER])


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
    python = [sys.executable, "-I", "-S", "-c", _CHANGE_USER]
    return not problem_of([*LAUNCH, "bwrap", *FLAGS_OF_ROOT, "--ro-bind", "/", "/", *python])


@functools.cache
def _process_changes_user() -> bool:
    return not problem_of([sys.executable, "-I", "-S", "-c", _CHANGE_USER])


_CHANGES_USER: dict[str, Callable[[], bool]] = {
    "bubblewrap": _bubblewrap_changes_user,
    "namespaces": lambda: _process_changes_user() and not _namespaces_trial(as_root=True),
    "landlock": _process_changes_user,
    "process": _process_changes_user,
}


@functools.cache
def _opens_files_as_own_user(name: str) -> bool:
    """
    Whether workers with a user id of their own open files as this user too. Otherwise they do so as root, and processes that
    their programs start, which the kernel takes the rights of root from, may find no Python.
    """
    python = [sys.executable, "-S", "-s", "-P", "-c", _USE_PYTHON]
    match name:
        case "bubblewrap":
            return not problem_of([*bubblewrap_command(_namespace_flags(), 2**20), *python])
        case "namespaces":
            return not _namespaces_trial(True, _USE_PYTHON)
    return not problem_of(python)


@functools.cache
def _namespace_flags() -> tuple[str, ...]:
    """What bubblewrap unshares. Programs are kept from making user namespaces where it is new enough (0.8) to know how."""
    if _changes_user("bubblewrap"):
        return FLAGS_OF_ROOT
    usual = ("--unshare-all", "--cap-drop", "ALL")
    limited = (*usual, "--unshare-user", "--disable-userns")
    trial = [
        *LAUNCH,
        "bwrap",
        *limited,
        "--ro-bind",
        "/",
        "/",
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"print({WORKED!r})",
    ]
    return usual if problem_of(trial) else limited


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
    return [
        *(bubblewrap_command(_namespace_flags(), output_limit) if isolation.name == "bubblewrap" else LAUNCH),
        *worker,
    ]


def worker_layout(isolation: Isolation, folder: str | None, output_limit: int) -> SandboxLayout:
    """
    What a worker has to do itself to lock its programs in.

    Args:
        isolation ([`Isolation`]): What is around it.
        folder (`str` or `None`): An empty folder: for the files of a program, or to build its file system in. `None` under
            bubblewrap.
        output_limit (`int`): Bytes that the scratch folder of a program may hold, where it lies in memory.

    Returns:
        `dict`: `scratch` (folders to empty after each program), `own_root` (arguments of
        [`~execution.sandbox.namespaces.enter_namespaces`], or `None`), `file_rules` (arguments of [`~execution.sandbox.landlock.FileRules`], or `None`),
        `owns_processes` (whether the worker is the first process of a namespace), `own_user` (the user id to take, or
        `None`), `file_user` (the user id to open files as, or `None`), `restricts_mounts` (whether it has to call [`~execution.sandbox.namespaces.restrict_mounts`]),
        `hides_files` (whether a filter has to protect the attributes of files) and `open_devices` (those of this machine
        whose times a program can set to now, and to nothing else).
    """
    scratch = [folder] if folder is not None and not isolation.has_own_root else list(SCRATCH_FOLDERS)
    own_user = _OWN_USERS + secrets.randbelow(_OWN_USERS) if _changes_user(isolation.name) else None
    # There, /dev/null and others are those of this machine: their owner, mostly root, could change their mode.
    owns_devices = isolation.name == "bubblewrap" and os.stat(os.devnull).st_uid == os.getuid()
    layout: SandboxLayout = {
        "scratch": scratch,
        "own_root": None,
        "file_rules": None,
        "owns_processes": isolation.processes,
        "own_user": own_user,
        "file_user": own_user if own_user is None or _opens_files_as_own_user(isolation.name) else 0,
        "restricts_mounts": owns_devices and own_user is not None,
        "hides_files": isolation.name == "landlock" or (owns_devices and own_user is None),
        "open_devices": [],
    }
    if isolation.name == "bubblewrap" and not owns_devices:
        layout["open_devices"] = [path for path in (*DEVICES, "/dev/tty") if os.access(path, os.W_OK)]
    if isolation.name == "namespaces" and folder is not None:
        layout["own_root"] = _own_root(folder, output_limit)
        shown, _, shown_inside = file_view()
        layout["file_rules"] = {"readable": [*shown, *shown_inside], "writable": scratch, "devices": DEVICES}
    elif isolation.name == "landlock":
        readable, listed = split_folders(file_view())
        layout["file_rules"] = {"readable": readable, "listed": listed, "writable": scratch, "devices": DEVICES}
    elif isolation.name == "process" and landlock_version() >= _FIRST_TO_RENAME:
        # All files as before; but a process with rules cannot look into, or change, one without.
        layout["file_rules"] = {"writable": ["/"]}
    return layout


def _own_root(folder: str, scratch_bytes: int) -> OwnRoot:
    view = file_view()
    return {
        "folder": folder,
        "view": view,
        "memory_folders": dict.fromkeys(SCRATCH_FOLDERS, scratch_bytes),
        "links": links_to_scratch(view),
    }
