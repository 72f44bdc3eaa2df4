"""Carry what the program must not know past the worker: all that a worker has read is in the memory of each program too."""

from __future__ import annotations

import json
import os
from typing import NamedTuple


class SealedTests(NamedTuple):
    """
    Tests that a referee decides, with what they expect.

    Args:
        setup (`str`): Code that runs before each.
        statements (`dict[int, str]`): The test of each index.
    """

    setup: str
    statements: dict[int, str]

    def to_bytes(self) -> bytes:
        """As they travel; nothing if there is none."""
        return json.dumps(self).encode() if self.statements else b""


class SealedFile:
    """
    A file in memory, made by the worker, which puts tests into it and never looks. A referee opens it; the process of a
    program closes its descriptor before the program is there.

    Args:
        descriptor (`int`): The file.
    """

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self.tests = SealedTests("", {})  # stays empty in the worker

    def take(self, pipe: int, size: int) -> None:
        """
        Move bytes from a pipe to the file, inside the kernel.

        Args:
            pipe (`int`): Descriptor to take them from.
            size (`int`): Their number.

        Raises:
            EOFError: If the pipe has fewer.
        """
        os.ftruncate(self._descriptor, 0)
        position = 0
        while position < size:
            moved = os.splice(pipe, self._descriptor, size - position, offset_dst=position)
            if not moved:
                raise EOFError("the caller is gone")
            position += moved

    def open(self) -> None:
        """Read the tests into `tests`; only in a process that ends when they are decided."""
        size = os.fstat(self._descriptor).st_size
        setup, statements = json.loads(os.pread(self._descriptor, size, 0))
        self.tests = SealedTests(setup, {int(index): text for index, text in statements.items()})
