"""Check and restore the folders that a program may write to."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any


# Files per folder that a program may have. A file in memory takes about 1 KB of kernel memory. Removing one from a disk may
# take milliseconds, and the worker has to be ready for the next program in seconds.
MAX_FILES, MAX_FILES_ON_DISK = 2**14, 2**12
_MAX_BYTES_OF_PATHS = 2**23  # of all folders of a program together, while their files are counted
_MAX_PATH = 4096  # bytes that the kernel takes
_NUM_STATE_FIELDS = 7  # of `os.stat_result`, without the times: mode, number, device, links, owner, group, size


class ScratchFolders:
    """
    Folders for the files of a program; the first of them is the working directory.

    Args:
        paths (`Sequence[str]`): The folders, all of them empty.
        devices (`Sequence[str]`, *optional*): Devices of the machine whose times programs can set to now.
    """

    def __init__(self, paths: Sequence[str], devices: Sequence[str] = ()):
        self._paths = paths
        self._devices = devices
        # The size of a folder in memory counts its entries; the size of a folder on a disk does not.
        self._listed = [path for path in paths if not os.path.ismount(path)]
        self._first = [_state(path) for path in paths]

    def are_untouched(self) -> bool:
        """Whether the folders are empty, and the same as at first."""
        try:
            states = [_state(path) for path in self._paths]
            return states == self._first and not any(map(os.listdir, self._listed))
        except OSError:
            return False

    def touch(self) -> None:
        """Set the times of folders and devices, which a program can set too, to now."""
        for path in (*self._paths, *self._devices):
            os.utime(path)

    def restore(self) -> bool:
        """Empty the folders. Returns whether the next program can use them."""
        if self.are_untouched():
            self.touch()
            return True
        if not empty_folders(self._paths):
            return False
        for path, (mode, _, _, _, owner, group, _) in zip(self._paths, self._first, strict=True):
            with contextlib.suppress(OSError):  # a program cannot change an attribute that cannot be restored here
                os.chmod(path, mode & 0o7777)
                os.chown(path, owner, group)
                os.utime(path)
        for path in self._devices:
            os.utime(path)
        self._first = [_state(path) for path in self._paths]  # without isolation, programs can replace them
        os.chdir(self._paths[0])
        return True


def has_too_many_files(folders: Iterable[str]) -> bool:
    """Whether one of the folders has more files, folders and links than allowed."""
    for folder in folders:
        with contextlib.suppress(OSError):
            if os.path.ismount(folder):  # a separate file system
                status = os.statvfs(folder)
                too_many = status.f_files - status.f_ffree > MAX_FILES
            else:
                too_many = _has_more_entries(folder)
            if too_many:
                return True
    return False


def empty_folders(folders: Iterable[str]) -> bool:
    """
    Empty the folders of a program, also of unreadable and of deeply nested entries.

    Args:
        folders (`Iterable[str]`): The folders. One that is gone, or has become a file or a link, is made again.

    Returns:
        `bool`: Whether all of them can be used again.
    """
    usable = True
    for folder in folders:
        try:
            status = os.lstat(folder)
        except OSError:
            status = None
        # The size of a folder in memory counts its entries; on a disk the entries have to be listed.
        if status is None or not stat.S_ISDIR(status.st_mode):
            usable &= _make_again(folder)
        elif status.st_mode & 0o700 != 0o700 or (status.st_size != 0 and not _is_empty(folder)):
            _empty(folder)
    return usable


def remove_folders(folders: Iterable[str]) -> None:
    """Remove folders with all that is in them, as far as that is possible."""
    for folder in folders:
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(os.lstat(folder).st_mode):
                _empty(folder)
                os.rmdir(folder)


def _state(path: str) -> tuple[Any, ...]:
    return os.stat(path)[:_NUM_STATE_FIELDS]


def _has_more_entries(top: str) -> bool:
    num_entries = num_bytes = 0
    pending = [top]
    while pending:
        for entry in _entries(pending.pop()):
            num_entries += 1
            if _is_folder(entry):
                size = len(os.fsencode(entry.path))
                if size >= _MAX_PATH:  # out of reach: its files cannot be counted
                    return True
                num_bytes += size
                pending.append(entry.path)
            if num_entries > MAX_FILES_ON_DISK or num_bytes > _MAX_BYTES_OF_PATHS:
                return True
    return False


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield the entries of a folder: a list may need more memory than a worker has."""
    with contextlib.suppress(OSError):
        try:
            entries = os.scandir(folder)
        except PermissionError:
            os.chmod(folder, 0o700)
            entries = os.scandir(folder)
        with entries:
            yield from entries


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with contextlib.suppress(OSError):
        return entry.is_dir(follow_symlinks=False)
    return False


def _is_empty(folder: str) -> bool:
    return next(_entries(folder), None) is None


def _make_again(folder: str) -> bool:
    with contextlib.suppress(OSError):
        os.unlink(folder)
    with contextlib.suppress(OSError):
        os.mkdir(folder, mode=0o700)
    return os.path.isdir(folder) and not os.path.islink(folder)


def _empty(top: str) -> None:
    # Folders are moved to the top before they are emptied, so that neither depth nor length of a path matters.
    name, number = f".{os.urandom(8).hex()}", 0
    _try(os.chmod, top, 0o700)
    is_shrinking = True
    while is_shrinking:
        is_shrinking = False
        for folder in _entries(top):
            if not _is_folder(folder):
                is_shrinking |= _try(os.unlink, folder.path)
                continue
            _try(os.chmod, folder.path, 0o700)
            for entry in _entries(folder.path):
                if _is_folder(entry):
                    number += 1
                    _try(os.chmod, entry.path, 0o700)
                    _try(os.rename, entry.path, f"{top}/{name}-{number}")
                else:
                    _try(os.unlink, entry.path)
            is_shrinking |= _try(os.rmdir, folder.path)


def _try(call: Callable[..., None], *arguments: Any) -> bool:
    try:
        call(*arguments)
    except OSError:
        return False
    return True
