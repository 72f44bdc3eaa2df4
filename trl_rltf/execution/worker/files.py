"""Files in memory through which programs are given their input and answer, set back before each process."""

from __future__ import annotations

import fcntl
import os

from ..wire.frames import STDOUT_SAMPLE
from .sealed import SealedFile


# Descriptors are where a program's process needs them before it is forked. All from CLOSED on are the worker's.
STDIN, STDOUT, NULL, LOG, CONNECTION, CLOSED = 0, 1, 2, 3, (4, 5), 6
_PROGRAM, _REFEREE, _ANSWERS, _PROGRESS = range(CLOSED, CLOSED + 4)
FIRST_FREE = _PROGRESS + 1
_MODE = 0o777
_MOST_OUTPUTS = 8  # times the limit of one test, for all tests of a program together


class MemoryFiles:
    """
    Files in memory that programs read from and write to. They are made once: later the filter of system calls, which is
    also the worker's, lets nobody make new ones.

    Attributes:
        program ([`~execution.worker.sealed.SealedFile`]): What the process of a program is given.
        referee ([`~execution.worker.sealed.SealedFile`]): What only a referee may know; for scripts, their inputs.
        answers ([`~execution.worker.sealed.SealedFile`]): What programs have answered.
        progress (`int`): Descriptor of the file in which a [`~execution.worker.scripts.server.ScriptServer`] reports.
    """

    def __init__(self) -> None:
        for descriptor in (NULL, *CONNECTION):
            _place(os.open(os.devnull, os.O_RDWR), descriptor)
        for descriptor in (STDIN, STDOUT, LOG, _PROGRESS):
            _place(os.memfd_create("program"), descriptor)
        self.program, self.referee, self.answers = (
            SealedFile(_place(os.memfd_create("program"), descriptor)) for descriptor in (_PROGRAM, _REFEREE, _ANSWERS)
        )
        self.progress = _PROGRESS
        status = os.fstat(STDOUT)
        self._owner = status.st_uid, status.st_gid

    def renew(self) -> None:
        """
        Empty the files that a process is given, and set back what one that is gone may have changed of them: the next one
        finds no message there. What cannot be set back, the filter of system calls refuses.
        """
        for descriptor in (STDIN, STDOUT, LOG):
            status = os.fstat(descriptor)
            if status.st_size or status.st_blocks:
                os.ftruncate(descriptor, 0)
            if status.st_mode & 0o7777 != _MODE:
                os.fchmod(descriptor, _MODE)
            if (status.st_uid, status.st_gid) != self._owner:
                os.fchown(descriptor, *self._owner)
            os.utime(descriptor)
            os.lseek(descriptor, 0, os.SEEK_SET)
            fcntl.fcntl(descriptor, fcntl.F_SETFL, 0)
        fcntl.fcntl(NULL, fcntl.F_SETFL, 0)

    def start_reports(self, first_test: int) -> None:
        """Empty the file of reports, and go to the input of a test."""
        os.ftruncate(self.progress, 0)
        os.lseek(self.progress, 0, os.SEEK_SET)
        self.referee.skip_to(first_test)

    def take_output(self, whole: bool, limit: int) -> tuple[tuple[int, int], bool]:
        """
        Move what a process has printed to the answers.

        Args:
            whole (`bool`): All of it, not only its beginning.
            limit (`int`): Bytes that it may print.

        Returns:
            `tuple[tuple[int, int], bool]`: Where it is in the answers, and whether it is too much.
        """
        size = os.fstat(STDOUT).st_size
        # Each test may keep to its limit, but all together print more than the caller should hold.
        is_too_much = size >= limit or self.answers.size > _MOST_OUTPUTS * limit
        shown = size if whole and not is_too_much else min(size, STDOUT_SAMPLE)
        return self.answers.append(STDOUT, 0, shown), is_too_much


def _place(descriptor: int, target: int) -> int:
    if descriptor != target:
        os.dup2(descriptor, target)
        os.close(descriptor)
    return target
