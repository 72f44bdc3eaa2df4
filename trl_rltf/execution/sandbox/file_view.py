"""List the files of the machine that a worker and its programs may see."""

# The system, Python and its libraries, and the code of the worker.

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .device_paths import SCRATCH_FOLDERS


PACKAGE = Path(__file__).resolve().parents[2]
# The files of this package that a worker imports. The code that decides tests is not among them.
_OWN_FILES = (
    "__init__.py",
    "_lazy.py",
    *(f"execution/{name}" for name in ("__init__.py", "sandbox", "wire", "worker")),
)
SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/alternatives")
# Entries of /proc that Python programs read. The others describe the machine and its kernel, or are for root alone.
_PROC_ENTRIES = frozenset("cpuinfo filesystems loadavg meminfo stat sys sysvipc uptime version".split())


class FileView(NamedTuple):
    """
    Paths for read-only use, to be mounted or allowed in this order.

    Args:
        shown (`list[str]`): Files and folders to show with all that is in them.
        covered (`list[str]`): Folders inside of those to hide: the tests and data of the package may contain answers.
        shown_inside (`list[str]`): Files and folders inside of these to show again.
    """

    shown: list[str]
    covered: list[str]
    shown_inside: list[str]


def file_view() -> FileView:
    """List the paths that exist on this machine now."""
    hidden = _hidden_folder()
    python = {path for path in _python_paths() if os.path.isdir(path)}
    inside = {path for path in python if _is_in(os.path.realpath(path), hidden)}
    system = [path for path in (*SYSTEM_FOLDERS, *SYSTEM_FILES) if os.path.exists(path)]
    shown = _outermost([*system, *sorted(python - inside)])
    covered = []
    for path in shown:
        # Under the name that is shown: `/lib` may be a link to `/usr/lib`, and is shown as a separate folder.
        real = os.path.realpath(path)
        if _is_in(hidden, real) and hidden != real:
            covered.append(path + hidden[len(real) :])
    own = [str(PACKAGE / name) for name in _OWN_FILES]
    return FileView(shown, covered, [*_outermost(sorted(inside)), *own])


def split_folders(view: FileView) -> tuple[list[str], list[str]]:
    """
    Describe a view without covered folders, by listing all paths around them.

    Args:
        view ([`FileView`]): The view.

    Returns:
        `tuple[list[str], list[str]]`: Paths to read with all that is in them, and folders whose list of names can be read.
    """
    readable, listed = list(view.shown_inside), []
    pending = list(view.shown)
    while pending:
        path = pending.pop()
        if path in view.covered:
            continue
        if any(_is_in(covered, path) for covered in view.covered):
            listed.append(path)
            # Opening a link opens its target, which has to be shown by itself.
            pending += [entry.path for entry in os.scandir(path) if not entry.is_symlink()]
        else:
            readable.append(path)
    return readable, listed


def links_to_scratch(view: FileView) -> dict[str, str]:
    """Return the links to the first scratch folder: path of each, and its target."""
    shown = [*view.shown, *view.shown_inside]
    return {} if any(path.startswith("/tmp/") for path in shown) else {"/tmp": SCRATCH_FOLDERS[0]}


def hidden_proc_entries() -> Iterator[tuple[str, bool]]:
    """Yield the paths in /proc to hide from programs, and whether each is a folder."""
    for entry in os.scandir("/proc"):
        if not (entry.name.isdigit() or entry.is_symlink() or entry.name in _PROC_ENTRIES):
            yield entry.path, entry.is_dir()


def _hidden_folder() -> str:
    """Return the folder of the package, or of the checkout that contains it."""
    checkout = PACKAGE.parent
    is_checkout = (checkout / "pyproject.toml").is_file() and str(checkout) not in map(
        os.path.realpath, [*SYSTEM_FOLDERS, *_python_paths()]
    )
    return str(checkout if is_checkout else PACKAGE)


def _python_paths() -> set[str]:
    """List the folders of the interpreter and its libraries, without this package."""
    libraries = map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib"))
    paths = {sys.prefix, sys.base_prefix, sys.exec_prefix, *libraries, str(Path(sys.executable).resolve().parent)}
    return {path for path in paths if path and path != "/"}


def _outermost(paths: list[str]) -> list[str]:
    return [path for path in dict.fromkeys(paths) if not any(path != other and _is_in(path, other) for other in paths)]


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
