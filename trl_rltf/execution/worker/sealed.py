"""Carry programs, tests and answers past the worker: all that a worker has read is in the memory of each program it forks."""

from __future__ import annotations

import json
import os
from typing import Any

from ..wire.frames import PART_SIZE


class SealedFile:
    """
    A file in memory, made by the worker, which moves bytes in and out of it inside the kernel and never looks. The process
    that it is meant for opens it; others close its descriptor before a program is there.

    Args:
        descriptor (`int`): The file.
    """

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self.content: Any = None  # stays so in the worker

    def clear(self) -> None:
        """Empty the file."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)

    def take(self, pipe: int, size: int) -> None:
        """
        Replace the content by bytes from a pipe.

        Args:
            pipe (`int`): Descriptor to take them from.
            size (`int`): Their number.

        Raises:
            EOFError: If the pipe has fewer.
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
            file (`int`): Its descriptor.
            offset (`int`): Where they begin.
            size (`int`): Their number.

        Returns:
            `tuple[int, int]`: Where they are now, and how many there were.
        """
        # Nothing of it is kept here: the processes of later tests would find it.
        began = os.lseek(self._descriptor, 0, os.SEEK_END)
        end = offset + size
        while offset < end and (moved := os.sendfile(self._descriptor, file, offset, end - offset)):
            offset += moved
        return began, os.lseek(self._descriptor, 0, os.SEEK_CUR) - began

    @property
    def size(self) -> int:
        """Number of bytes."""
        return os.fstat(self._descriptor).st_size

    def send(self, pipe: int) -> None:
        """Write all bytes to a pipe."""
        position, size = 0, self.size
        while position < size:
            position += os.sendfile(pipe, self._descriptor, position, size - position)

    def skip_to(self, index: int) -> None:
        """Go to one of the parts that [`pack_parts`] has put together, for [`move_part`]."""
        position = 0
        for _ in range(index):
            position += PART_SIZE.size + PART_SIZE.unpack(os.pread(self._descriptor, PART_SIZE.size, position))[0]
        os.lseek(self._descriptor, position, os.SEEK_SET)

    def move_part(self, file: int) -> bool:
        """
        Write the next part to another file. Which one that is, only the kernel knows.

        Args:
            file (`int`): Its descriptor.

        Returns:
            `bool`: Whether there was one.
        """
        header = os.read(self._descriptor, PART_SIZE.size)
        if not header:
            return False
        size = PART_SIZE.unpack(header)[0]
        while size:
            size -= os.sendfile(file, self._descriptor, None, size)
        return True

    def open(self) -> None:
        """Read the file into `content`; only in a process that ends when it has done with it."""
        size = os.fstat(self._descriptor).st_size
        self.content = json.loads(os.pread(self._descriptor, size, 0))
