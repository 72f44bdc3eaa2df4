"""
Pass programs, tests and answers through files that the worker does not read.

The process of a program is forked from the worker, and inherits all that the worker has read. For this reason the worker moves
the bytes of programs, tests and answers inside the kernel.
"""

from __future__ import annotations

import fcntl
import os
from typing import Any

from ..wire.frames import PART_SIZE, STDOUT_SAMPLE
from .fast_json import load


# Numbers of descriptors, as the process of a program needs them. They are set before a fork. The numbers from
# FIRST_CLOSED on are for the worker.
STDIN, STDOUT, NULL, LOG, REFEREE_FDS, FIRST_CLOSED = 0, 1, 2, 3, (4, 5), 6
_PROGRAM, _TESTS, _ANSWERS, _PROGRESS = range(FIRST_CLOSED, FIRST_CLOSED + 4)
FIRST_FREE = _PROGRESS + 1
_MODE = 0o777
_MAX_OUTPUTS = 8  # times the limit of one test, for all tests of a program together


class PassThroughFile:
    """
    A file in memory whose bytes the worker moves without reading them.

    The process that the file is meant for opens it. Other processes close its descriptor before they run a program.

    Args:
        descriptor (`int`): The file.

    Attributes:
        content (`Any`): The JSON in the file, after [`PassThroughFile.open`]; always `None` in the worker.
    """

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self.content: Any = None

    @property
    def size(self) -> int:
        """Number of bytes."""
        return os.fstat(self._descriptor).st_size

    def clear(self) -> None:
        """Empty the file."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)

    def fill_from(self, pipe: int, size: int) -> None:
        """
        Replace the content by bytes from a pipe.

        Args:
            pipe (`int`): Descriptor of the pipe.
            size (`int`): Number of bytes.

        Raises:
            EOFError: If the pipe ends earlier.
        """
        self.clear()
        position = 0
        while position < size:
            moved = os.splice(pipe, self._descriptor, size - position, offset_dst=position)
            if not moved:
                raise EOFError("the caller is gone")
            position += moved

    def append(self, file: int, offset: int, size: int) -> tuple[int, int]:
        """
        Add bytes of another file.

        Args:
            file (`int`): Descriptor of that file.
            offset (`int`): Where the bytes begin in it.
            size (`int`): Number of bytes.

        Returns:
            `tuple[int, int]`: Where the bytes are in this file, and their number.
        """
        # The worker keeps no copy: the processes of later tests would find it.
        began = os.lseek(self._descriptor, 0, os.SEEK_END)
        end = offset + size
        while offset < end and (moved := os.sendfile(self._descriptor, file, offset, end - offset)):
            offset += moved
        return began, os.lseek(self._descriptor, 0, os.SEEK_CUR) - began

    def send_to(self, pipe: int) -> None:
        """Write all bytes to a pipe."""
        position, size = 0, self.size
        while position < size:
            position += os.sendfile(pipe, self._descriptor, position, size - position)

    def skip_to(self, index: int) -> None:
        """
        Go to one of the parts, for `move_part_to`.

        Args:
            index (`int`): Number of the part, as [`~execution.wire.frames.pack_parts`] got it.
        """
        position = 0
        for _ in range(index):
            position += PART_SIZE.size + PART_SIZE.unpack(os.pread(self._descriptor, PART_SIZE.size, position))[0]
        os.lseek(self._descriptor, position, os.SEEK_SET)

    def move_part_to(self, file: int) -> bool:
        """
        Write the next part to another file. Only the kernel keeps count of the parts.

        Args:
            file (`int`): Descriptor of that file.

        Returns:
            `bool`: Whether there was a part.
        """
        header = os.read(self._descriptor, PART_SIZE.size)
        if not header:
            return False
        size = PART_SIZE.unpack(header)[0]
        while size:
            size -= os.sendfile(file, self._descriptor, None, size)
        return True

    def open(self) -> None:
        """
        Read the JSON in the file into `content`.

        Only for a process that ends when it is done with the content, never for the worker.
        """
        size = os.lseek(self._descriptor, 0, os.SEEK_END)
        self.content = load(os.pread(self._descriptor, size, 0))


class MemoryFiles:
    """
    The memory files of a worker, emptied before each process of a program.

    They are made once. Later the filter of system calls, which is also the worker's, refuses to make new ones.

    Attributes:
        program ([`PassThroughFile`]): The payload for the process of a program.
        tests ([`PassThroughFile`]): The payload for the referee alone, or the inputs of a script.
        answers ([`PassThroughFile`]): Values and output of the tests, for the caller.
        progress (`int`): Descriptor of the file in which a [`~execution.worker.scripts.fork_server.ScriptServer`] reports.
    """

    def __init__(self) -> None:
        for descriptor in (NULL, *REFEREE_FDS):
            _place(os.open(os.devnull, os.O_RDWR), descriptor)
        for descriptor in (STDIN, STDOUT, LOG, _PROGRESS):
            _place(os.memfd_create("program"), descriptor)
        self.program, self.tests, self.answers = (
            PassThroughFile(_place(os.memfd_create("program"), descriptor))
            for descriptor in (_PROGRAM, _TESTS, _ANSWERS)
        )
        self.progress = _PROGRESS
        status = os.fstat(STDOUT)
        self._owner = status.st_uid, status.st_gid

    def renew(self) -> None:
        """
        Empty the files that programs can write to, and restore their attributes.

        The next process finds no message of an earlier one there. The filter of system calls refuses to change the
        attributes that cannot be restored.
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
        self.tests.skip_to(first_test)

    def move_output(self, whole: bool, limit: int) -> tuple[tuple[int, int], bool]:
        """
        Move the output of a process to the answers.

        Args:
            whole (`bool`): Move all of it, not only its beginning.
            limit (`int`): Bytes that a process may print.

        Returns:
            `tuple[tuple[int, int], bool]`: Place and size in the answers, and whether the process printed too much.
        """
        size = os.fstat(STDOUT).st_size
        # Each test may keep to its limit, but all together print more than the caller should hold.
        is_too_much = size >= limit or self.answers.size > _MAX_OUTPUTS * limit
        shown = size if whole and not is_too_much else min(size, STDOUT_SAMPLE)
        return self.answers.append(STDOUT, 0, shown) if shown else (0, 0), is_too_much


def _place(descriptor: int, target: int) -> int:
    if descriptor != target:
        os.dup2(descriptor, target)
        os.close(descriptor)
    return target
