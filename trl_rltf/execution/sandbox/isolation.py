"""Choose and describe the isolation of a worker."""

from __future__ import annotations

import compileall
import functools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .file_view import PACKAGE
from .mechanisms import MECHANISMS, Mechanism, can_filter


if TYPE_CHECKING:
    from ..wire.messages import SandboxLayout


ISOLATION_CHOICES = ("auto", "strict", *MECHANISMS)
_INSTALL_HINT = (
    "Install bubblewrap (`apt-get install bubblewrap` or `dnf install bubblewrap`) and allow user namespaces "
    "(`sysctl kernel.unprivileged_userns_clone=1`, or `kernel.apparmor_restrict_unprivileged_userns=0` on Ubuntu)."
)


class SandboxError(RuntimeError):
    """
    The sandbox does not work on this machine, or has stopped working.

    Args:
        message (`str`): The problem, and what to do.
        reports (`Sequence[ExecutionReport]`, *optional*): Reports of the programs that had been graded.
    """

    def __init__(self, message: str, reports: Sequence[Any] = ()):
        super().__init__(message)
        self.reports = list(reports)


@dataclass(frozen=True, slots=True)
class Isolation:
    """
    The isolation between programs and the machine.

    Args:
        name (`str`): `"bubblewrap"`, `"namespaces"`, `"landlock"` or `"process"`.
        filesystem (`bool`): Programs can open system libraries, read-only, and their scratch folder, nothing else.
        network (`bool`): Programs have no network.
        processes (`bool`): Programs cannot see or signal processes outside, nor outlive their test by any means.
        limits (`bool`, *optional*, defaults to `True`): CPU time, address space, file size, output, open files and
            processes are bounded. Always true.
        layers (`tuple[str, ...]`, *optional*, defaults to `("rlimits",)`): The mechanisms in force, from the outside
            in.
        missing (`str`, *optional*, defaults to `""`): Why a stronger isolation is not in force; empty when it is.
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
        """Whether programs have a separate file system, instead of rules about files."""
        return MECHANISMS[self.name].has_own_root

    @property
    def warning(self) -> str:
        """Warning that names the actions which an incomplete isolation leaves possible."""
        if self.filesystem:
            level = "without process isolation"
            gap = "they are kept from files and the network, but some of them may survive when a worker dies"
        else:
            level = "with resource limits only"
            actions = ["read files"]
            if "Landlock" not in self.layers[0]:
                actions.append("read and change the memory of processes of the same user")
            if not self.network:
                actions.append("use the network")
            gap = f"they can {' and '.join(actions)}"
        return (
            f"Programs run {level}, because {self.missing}: {gap}. Install bubblewrap, or pass "
            f'`isolation="{self.name}"` to accept it.'
        )


def check_isolation(wanted: str) -> None:
    """
    Check the name of an isolation, which need not work on this machine.

    Args:
        wanted (`str`): As for `choose_isolation`.

    Raises:
        ValueError: If it is not one of the choices.
    """
    if wanted not in ISOLATION_CHOICES:
        raise ValueError(f"`isolation` is {wanted!r}, but must be one of {', '.join(map(repr, ISOLATION_CHOICES))}.")


def choose_isolation(wanted: str) -> Isolation:
    """
    Find the isolation that this machine offers.

    Args:
        wanted (`str`): `"auto"` takes the strongest that works, `"strict"` the strongest if it keeps files, network and
            processes apart; `"bubblewrap"`, `"namespaces"` (with Landlock), `"landlock"` and `"process"` (limits, and a
            filter of system calls) select one by name.

    Returns:
        [`Isolation`]: The isolation that will be in force.

    Raises:
        ValueError: If `wanted` is not one of these.
        SandboxError: If the demanded isolation does not work here. The message says what to install.
    """
    check_isolation(wanted)
    limits = ("seccomp", "rlimits") if can_filter() else ("rlimits",)
    problems: list[str] = []
    for mechanism in MECHANISMS.values():
        is_candidate = mechanism.processes if wanted == "strict" else wanted in ("auto", mechanism.name)
        if not is_candidate:
            continue
        problem = mechanism.problem()
        if not problem:
            return _describe(mechanism, limits, "; ".join(problems) or "not asked for")
        problems.append(problem)
    raise SandboxError(
        f"`isolation={wanted!r}` needs file-system, network and process isolation, but {'; '.join(problems)}. "
        f"{_INSTALL_HINT}"
    )


def _describe(mechanism: Mechanism, limits: tuple[str, ...], reason: str) -> Isolation:
    network = mechanism.has_network_isolation()
    is_complete = mechanism.filesystem and network and mechanism.processes
    return Isolation(
        mechanism.name,
        mechanism.filesystem,
        network,
        mechanism.processes,
        layers=(*mechanism.layers(), *limits),
        missing="" if is_complete else reason,
    )


def worker_command(isolation: Isolation, output_limit: int) -> list[str]:
    """
    Put together the command that starts a worker.

    Args:
        isolation ([`Isolation`]): The isolation around the worker.
        output_limit (`int`): Bytes that the scratch folder of a program may hold.

    Returns:
        `list[str]`: Program and arguments.
    """
    _compile_worker()
    start = MECHANISMS[isolation.name].command(output_limit)
    return [*start, sys.executable, "-S", "-s", "-P", "-m", "trl_rltf.execution.worker"]


@functools.cache
def _compile_worker() -> None:
    """
    Write the byte code of the modules of a worker, as importing them would do.

    This process does not import them, and workers cannot write files. A worker that compiles its modules starts later, and is
    larger, so that each fork of it takes longer.
    """
    if not sys.dont_write_bytecode:
        for name in ("sandbox", "wire", "worker"):
            compileall.compile_dir(PACKAGE / "execution" / name, quiet=2)  # silent where the folder is read-only


def worker_layout(isolation: Isolation, folder: str | None, output_limit: int) -> SandboxLayout:
    """
    Describe the part of the sandbox that a worker sets up itself.

    Args:
        isolation ([`Isolation`]): The isolation around it.
        folder (`str` or `None`): An empty folder: for the files of a program, or to build its file system in. `None` under
            bubblewrap.
        output_limit (`int`): Bytes that the scratch folder of a program may hold, where it is in memory.

    Returns:
        [`~execution.wire.messages.SandboxLayout`]: That part of the first message to the worker.
    """
    return MECHANISMS[isolation.name].layout(folder, output_limit)
