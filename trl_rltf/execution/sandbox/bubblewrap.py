"""Put together the command line of bubblewrap (bwrap(1))."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from .device_paths import SCRATCH_FOLDERS
from .file_view import PACKAGE, file_view, hidden_proc_entries, links_to_scratch


# Starts a command with default signals. Bubblewrap needs SIGCHLD, too.
LAUNCH = [sys.executable, "-I", "-S", str(PACKAGE / "execution" / "sandbox" / "clean_exec.py")]
FLAGS_OF_ROOT = tuple(
    "--unshare-ipc --unshare-pid --unshare-net --unshare-uts --unshare-cgroup-try --cap-drop ALL --cap-add CAP_SETUID "
    "--cap-add CAP_SYS_ADMIN".split()
)


def bubblewrap_command(flags: Sequence[str], scratch_bytes: int) -> list[str]:
    """
    Put together the arguments that run a command in a sandbox.

    Args:
        flags (`Sequence[str]`): Options for namespaces and capabilities.
        scratch_bytes (`int`): Size of each scratch folder.

    Returns:
        `list[str]`: The arguments in front of the command.
    """
    view = file_view()
    command = [*LAUNCH, "bwrap", *flags, "--as-pid-1", "--new-session"]
    command += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"]
    read_only = ["/proc", "/dev", "/"]
    # The user owns the files in /dev/pts: the next program would see a change of their mode or times.
    command += ["--tmpfs", "/dev/pts", "--remount-ro", "/dev/pts"]
    for entry, is_folder in hidden_proc_entries():
        command += ["--tmpfs", entry, "--remount-ro", entry] if is_folder else ["--ro-bind", "/dev/null", entry]
    for folder in SCRATCH_FOLDERS:
        command += ["--size", str(scratch_bytes), "--tmpfs", folder]
    # With `--dir` each user can search these folders; bubblewrap would give them the rights of the folders outside.
    paths = [*view.shown, *view.shown_inside]
    for folder in dict.fromkeys(str(parent) for path in paths for parent in list(Path(path).parents)[-2::-1]):
        command += ["--dir", folder]
    for path in view.shown:
        command += ["--ro-bind", path, path]
    for path in view.covered:
        command += ["--tmpfs", path]
        read_only.insert(0, path)
    for path in view.shown_inside:
        command += ["--ro-bind", path, path]
    for link, target in links_to_scratch(view).items():
        command += ["--symlink", target, link]
    # These come last. Without them, the root and /dev are writable memory that is never emptied, and a worker of root
    # owns its /proc.
    for path in read_only:
        command += ["--remount-ro", path]
    return [*command, "--chdir", SCRATCH_FOLDERS[0]]
