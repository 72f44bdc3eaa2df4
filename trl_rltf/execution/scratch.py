"""The folders that a program may write to: whether they are as they were, and how to set them back."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from . import cleanup


class ScratchFolders:
    """
    Folders for the files of a program; the first of them is the working directory.

    Args:
        paths (`Sequence[str]`): The folders, all of them empty.
        devices (`Sequence[str]`, *optional*): Files of others, of which programs can set the times to now.
    """

    def __init__(self, paths: Sequence[str], devices: Sequence[str] = ()):
        self._paths = paths
        self._devices = devices
        # A file system in memory counts the entries of a folder in its size; elsewhere the size says nothing.
        self._listed = [path for path in paths if not os.path.ismount(path)]
        self._first = [_state(path) for path in paths]

    def are_untouched(self) -> bool:
        """Whether they are empty, and the same folders as at first."""
        try:
            states = [_state(path) for path in self._paths]
            return states == self._first and not any(map(os.listdir, self._listed))
        except OSError:
            return False

    def touch(self) -> None:
        """Set their times, which a program can set too, to now."""
        for path in (*self._paths, *self._devices):
            os.utime(path)

    def restore(self) -> bool:
        """Remove what a program has left. Returns whether the next one can use them."""
        if self.are_untouched():
            self.touch()
            return True
        if not cleanup.empty_folders(self._paths):
            return False
        for path, (mode, owner, group, _, _) in zip(self._paths, self._first, strict=True):
            with contextlib.suppress(OSError):  # what cannot be set back, a program could not change either
                os.chmod(path, mode & 0o7777)
                os.chown(path, owner, group)
                os.utime(path)
        for path in self._devices:
            os.utime(path)
        self._first = [_state(path) for path in self._paths]  # without isolation, programs can replace them
        os.chdir(self._paths[0])
        return True


def _state(path: str) -> tuple[int, ...]:
    status = os.stat(path)
    return status.st_mode, status.st_uid, status.st_gid, status.st_ino, status.st_size
