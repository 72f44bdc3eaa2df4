"""Carry programs, tests and answers past the worker: all that a worker has read is in the memory of each program it forks."""

from __future__ import annotations

import json
import os
from typing import Any


class SealedFile:
    """
    A file in memory, made by the worker, which moves bytes in and out of it inside the kernel and never looks. The process
    that it is meant for opens it; others close its descriptor before a program is there.

    Args:
        descriptor (`int`): The file.
    """

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._size = 0
        self.content: Any = None  # stays so in the worker

    def clear(self) -> None:
        """Empty the file."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._size = 0

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
        while self._size < size:
            moved = os.splice(pipe, self._descriptor, size - self._size, offset_dst=self._size)
            if not moved:
                raise EOFError("the caller is gone")
            self._size += moved

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
        began = self._size
        while size > 0 and (moved := os.sendfile(self._descriptor, file, offset, size)):
            offset, size, self._size = offset + moved, size - moved, self._size + moved
        return began, self._size - began

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self._size

    def send(self, pipe: int) -> None:
        """Write all bytes to a pipe."""
        position = 0
        while position < self._size:
            position += os.sendfile(pipe, self._descriptor, position, self._size - position)

    def open(self) -> None:
        """Read the file into `content`; only in a process that ends when it has done with it."""
        size = os.fstat(self._descriptor).st_size
        self.content = json.loads(os.pread(self._descriptor, size, 0))
