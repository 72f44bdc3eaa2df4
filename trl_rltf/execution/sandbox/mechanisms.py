"""Four ways to keep programs apart from the machine, each tried before use."""

from __future__ import annotations

import functools
import json
import os
import secrets
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING

from .bubblewrap import FLAGS_OF_ROOT, LAUNCH, bubblewrap_command
from .command_check import WORKED, problem_of
from .device_paths import DEVICES, SCRATCH_FOLDERS
from .file_view import file_view, links_to_scratch, split_folders
from .landlock import landlock_version


if TYPE_CHECKING:
    from ..wire.messages import OwnRoot, SandboxLayout


# The workers of root take one user id each, from this number on. No real user is expected to have an id so high.
_FIRST_USER_ID = 2**30
_RENAMES_SINCE = 2  # version of Landlock; under the first, no file can be moved to another folder
_TRIAL_SCRATCH_BYTES = 2**20
_ISOLATED_PYTHON = [sys.executable, "-I", "-S", "-c"]
_PYTHON = [sys.executable, "-s", "-P", "-c"]

# Programs for trials. A trainer that runs as root owns the settings of the kernel.
_SETTINGS_ARE_READ_ONLY = (
    "import os, sys; sys.exit('/proc/sys is writable') if os.access('/proc/sys/kernel/core_pattern', os.W_OK) else "
    f"print({WORKED!r})"
)
_PRINT_WORKED = f"print({WORKED!r})"
_CHANGE_USER = f"import os; os.setresuid({_FIRST_USER_ID}, 0, 0); print({WORKED!r})"
# As another user, start Python once more, as a program may, and look for libraries.
_USE_PYTHON_AS_OTHER_USER = (
    f"import os, sys; os.setresuid(*[{_FIRST_USER_ID}] * 3); os.execv(sys.executable, [sys.executable, '-S', '-s', '-P', "
    "'-c', 'import os, sysconfig, trl_rltf.execution.worker; os.listdir(sysconfig.get_path(\"purelib\")); "
    f'print("{WORKED}")\'])'
)
_INSTALL_FILTER = (
    "from trl_rltf.execution.sandbox.seccomp import SystemCallFilter; "
    f"print({WORKED!r} if SystemCallFilter.of_worker().install() else 'refused')"
)
_ENTER_NAMESPACES = (
    "import json, sys; from trl_rltf.execution.sandbox.namespaces import enter_namespaces; "
    "enter_namespaces(json.loads(sys.argv[1]), as_root=json.loads(sys.argv[2])); "
)


def can_filter() -> bool:
    """Whether system calls can be filtered (seccomp(2)) on this kernel and machine."""
    return not problem_of([*_PYTHON, _INSTALL_FILTER])


class Mechanism:
    """
    One way to keep programs apart from the machine.

    Attributes:
        name (`str`): The name for `isolation=`.
        filesystem (`bool`): Whether it hides the files of the machine.
        processes (`bool`): Whether programs run in a PID namespace.
        has_own_root (`bool`): Whether programs have a separate file system, instead of rules about the machine's.
    """

    name = ""
    filesystem = False
    processes = False
    has_own_root = False

    def problem(self) -> str:
        """Say why the mechanism does not work on this machine; empty if it does."""
        return ""

    def has_network_isolation(self) -> bool:
        """Whether programs have no network."""
        return True

    def layers(self) -> tuple[str, ...]:
        """Name the layers around a program, without the filter and the limits."""
        raise NotImplementedError

    def command(self, scratch_bytes: int) -> list[str]:
        """
        Put together the start of the command line of a worker.

        Args:
            scratch_bytes (`int`): Bytes that each scratch folder may hold, where it is in memory.

        Returns:
            `list[str]`: The arguments in front of the worker's command.
        """
        return LAUNCH

    def changes_user(self) -> bool:
        """
        Whether each worker takes a separate user id.

        The kernel bounds the processes of a user, but not those of root. A user namespace has no other ids, so a
        worker of root that takes one runs without a user namespace.
        """
        # Without the filter, a program could take the id of root again.
        return os.getuid() == 0 and can_filter() and self._can_change_user()

    def _can_change_user(self) -> bool:
        return _can_change_user_without_namespaces()

    def opens_files_as_own_user(self) -> bool:
        """
        Whether workers with a separate user id open files as this user too.

        Otherwise they open files as root. The kernel takes the rights of root from the processes that their programs start,
        which may then find no Python.
        """
        return not problem_of([sys.executable, "-S", "-s", "-P", "-c", _USE_PYTHON_AS_OTHER_USER])

    def layout(self, folder: str | None, scratch_bytes: int) -> SandboxLayout:
        """
        Describe the part of the sandbox that a worker sets up itself.

        Args:
            folder (`str` or `None`): An empty folder: for the files of a program, or to build its file system in. `None` under
                bubblewrap.
            scratch_bytes (`int`): Bytes that each scratch folder may hold, where it is in memory.

        Returns:
            [`~execution.wire.messages.SandboxLayout`]: That part of the first message to the worker.
        """
        own_user = _FIRST_USER_ID + secrets.randbelow(_FIRST_USER_ID) if self.changes_user() else None
        return {
            "scratch": list(SCRATCH_FOLDERS) if folder is None or self.has_own_root else [folder],
            "own_root": None,
            "file_rules": None,
            "owns_processes": self.processes,
            "own_user": own_user,
            "file_user": own_user if own_user is None or self.opens_files_as_own_user() else 0,
            "restricts_mounts": False,
            "hides_files": False,
            "open_devices": [],
        }


class Bubblewrap(Mechanism):
    """A separate file system, network and PID namespace, made by bwrap(1)."""

    name = "bubblewrap"
    filesystem = processes = has_own_root = True

    def problem(self) -> str:
        """Say why bubblewrap cannot be used: many containers have it and forbid it."""
        if shutil.which("bwrap") is None:
            return "bubblewrap (`bwrap`) is not installed"
        problem = problem_of([*self.command(_TRIAL_SCRATCH_BYTES), *_ISOLATED_PYTHON, _SETTINGS_ARE_READ_ONLY])
        return f"bubblewrap does not work here ({problem})" if problem else ""

    def layers(self) -> tuple[str, ...]:
        return ("bubblewrap",)

    def command(self, scratch_bytes: int) -> list[str]:
        return bubblewrap_command(self._flags(), scratch_bytes)

    def _flags(self) -> tuple[str, ...]:
        """List options; from 0.8 on, they keep programs from making user namespaces."""
        if self.changes_user():
            return FLAGS_OF_ROOT
        usual = ("--unshare-all", "--cap-drop", "ALL")
        limited = (*usual, "--unshare-user", "--disable-userns")
        return usual if problem_of(_in_bubblewrap(limited, _PRINT_WORKED)) else limited

    def _can_change_user(self) -> bool:
        return not problem_of(_in_bubblewrap(FLAGS_OF_ROOT, _CHANGE_USER))

    def opens_files_as_own_user(self) -> bool:
        python = [sys.executable, "-S", "-s", "-P", "-c", _USE_PYTHON_AS_OTHER_USER]
        return not problem_of([*self.command(_TRIAL_SCRATCH_BYTES), *python])

    def layout(self, folder: str | None, scratch_bytes: int) -> SandboxLayout:
        layout = super().layout(folder, scratch_bytes)
        # Here, /dev/null and others are devices of the machine: their owner, mostly root, could change their mode.
        owns_devices = os.stat(os.devnull).st_uid == os.getuid()
        changes_user = layout["own_user"] is not None
        layout["restricts_mounts"] = owns_devices and changes_user
        layout["hides_files"] = owns_devices and not changes_user
        if not owns_devices:
            layout["open_devices"] = [path for path in (*DEVICES, "/dev/tty") if os.access(path, os.W_OK)]
        return layout


class Namespaces(Mechanism):
    """The namespaces of bubblewrap, made by the worker itself, with Landlock inside."""

    name = "namespaces"
    filesystem = processes = has_own_root = True

    def problem(self) -> str:
        return _problem_of_landlock() or ("" if self.changes_user() else _problem_of_namespaces(as_root=False))

    def layers(self) -> tuple[str, ...]:
        return "namespaces", f"Landlock {landlock_version()}"

    def _can_change_user(self) -> bool:
        return super()._can_change_user() and not _problem_of_namespaces(as_root=True)

    def opens_files_as_own_user(self) -> bool:
        return not _problem_of_namespaces(True, _USE_PYTHON_AS_OTHER_USER)

    def layout(self, folder: str | None, scratch_bytes: int) -> SandboxLayout:
        layout = super().layout(folder, scratch_bytes)
        if folder is not None:
            shown, _, shown_inside = file_view()
            layout["own_root"] = _own_root(folder, scratch_bytes)
            layout["file_rules"] = {
                "readable": [*shown, *shown_inside],
                "writable": layout["scratch"],
                "devices": DEVICES,
            }
        return layout


class Landlock(Mechanism):
    """Rules about the files of the machine, see landlock(7)."""

    name = "landlock"
    filesystem = True

    def problem(self) -> str:
        return _problem_of_landlock()

    def layers(self) -> tuple[str, ...]:
        return (f"Landlock {landlock_version()}",)

    def layout(self, folder: str | None, scratch_bytes: int) -> SandboxLayout:
        layout = super().layout(folder, scratch_bytes)
        readable, listed = split_folders(file_view())
        layout["hides_files"] = True
        layout["file_rules"] = {
            "readable": readable,
            "listed": listed,
            "writable": layout["scratch"],
            "devices": DEVICES,
        }
        return layout


class LimitsOnly(Mechanism):
    """Limits of resources and a filter of system calls. Files can be read."""

    name = "process"

    def has_network_isolation(self) -> bool:
        return can_filter()

    def layers(self) -> tuple[str, ...]:
        return (f"Landlock {landlock_version()} (processes)",) if _can_rename_under_landlock() else ()

    def layout(self, folder: str | None, scratch_bytes: int) -> SandboxLayout:
        layout = super().layout(folder, scratch_bytes)
        if _can_rename_under_landlock():
            # All files stay open; but a process with rules cannot look into, or change, one without rules.
            layout["file_rules"] = {"writable": ["/"]}
        return layout


# From the strongest to the weakest.
MECHANISMS: dict[str, Mechanism] = {
    mechanism.name: mechanism for mechanism in (Bubblewrap(), Namespaces(), Landlock(), LimitsOnly())
}


def _in_bubblewrap(flags: tuple[str, ...], code: str) -> list[str]:
    return [*LAUNCH, "bwrap", *flags, "--ro-bind", "/", "/", *_ISOLATED_PYTHON, code]


def _can_change_user_without_namespaces() -> bool:
    return not problem_of([*_ISOLATED_PYTHON, _CHANGE_USER])


def _can_rename_under_landlock() -> bool:
    return landlock_version() >= _RENAMES_SINCE


def _problem_of_landlock() -> str:
    if not can_filter():
        return "system calls cannot be filtered (seccomp) on this kernel and machine"
    if not landlock_version():
        return "the kernel has no Landlock (5.13 or newer, and in its list of security modules)"
    return ""


@functools.cache
def _problem_of_namespaces(as_root: bool, then: str = f"print({WORKED!r}, flush=True)") -> str:
    with tempfile.TemporaryDirectory(prefix="trl-rltf-") as folder:
        root = json.dumps(_own_root(folder, _TRIAL_SCRATCH_BYTES))
        problem = problem_of([*_PYTHON, _ENTER_NAMESPACES + then, root, json.dumps(as_root)])
    return f"namespaces cannot be made ({problem})" if problem else ""


def _own_root(folder: str, scratch_bytes: int) -> OwnRoot:
    view = file_view()
    return {
        "folder": folder,
        "view": view,
        "memory_folders": dict.fromkeys(SCRATCH_FOLDERS, scratch_bytes),
        "links": links_to_scratch(view),
    }
