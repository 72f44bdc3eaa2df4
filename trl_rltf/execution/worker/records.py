"""Report from a program's process to the supervisor, in records hard to forge."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from .fast_json import dump


_MAX_BYTES_READ = 2**16
_TOKEN_BYTES = 8
_NO_TEST = 0xFFFFFFFF
# Token, kind, test, bytes of the payload, seconds of CPU and of the monotonic clock.
_HEADER = struct.Struct("!8sBIIdd")


class RecordKind:
    """
    The meaning of a record.

    The members are numbers: each use of a member of an `enum` is a call of Python.

    A record about a test ends this test and starts the next one.
    """

    DONE = 1  # with the values that were observed
    ERROR = 2  # of one test, or of all where loading failed
    SYNTAX_ERROR = 3
    SITE = 4  # the place of an error
    TRAILING = 5  # an error in trailing code
    LOADED = 6  # the program is compiled; the time of the first test starts


class Record(NamedTuple):
    """
    One record.

    Args:
        kind (`int`): A [`RecordKind`].
        test (`int`): Index of a test, or -1.
        payload (`bytes`): JSON; empty where it holds the values of a test, which stay in the file.
        offset (`int`): Where the payload begins in the file.
        size (`int`): Bytes of the payload.
        cpu (`float`): CPU seconds of the process when it wrote the record.
        wall (`float`): Seconds of the monotonic clock at that time.
    """

    kind: int
    test: int
    payload: bytes
    offset: int
    size: int
    cpu: float
    wall: float


class RecordWriter:
    """
    The end of the log in a program's process.

    Each record starts with a token that was drawn for it alone. Bytes that a program writes to the descriptor, or reads there
    and writes again, are therefore not a record.

    Args:
        descriptor (`int`): File to append to.
        tokens (`bytes`): The tokens, one after the other.
    """

    def __init__(self, descriptor: int, tokens: bytes):
        self._tokens = memoryview(tokens)
        self._descriptor = descriptor
        self._write = os.write  # a program may replace `os.write`
        self._dump = dump
        self._pack = _HEADER.pack
        self._process, self._pid, self._exit = os.getpid, os.getpid(), os._exit
        self._cpu_clock, self._wall_clock = time.process_time, time.monotonic

    def send(self, kind: int, test: int = -1, payload: bytes = b"") -> None:
        """Append one record."""
        if self._process() != self._pid:
            self._exit(0)  # a fork of the program, whose parent reports
        token, self._tokens = bytes(self._tokens[:_TOKEN_BYTES]), self._tokens[_TOKEN_BYTES:]
        clocks = self._cpu_clock(), self._wall_clock()
        data = self._pack(token, kind, test & _NO_TEST, len(payload), *clocks) + payload
        while data:
            data = data[self._write(self._descriptor, data) :]

    def send_json(self, kind: int, test: int, content: Any) -> None:
        """Append one record whose payload is JSON."""
        self.send(kind, test, self._dump(content))


class RecordReader:
    """
    The supervisor's end of the log.

    Args:
        num_tests (`int`): Number of tests of the program.

    Attributes:
        tokens (`bytes`): The tokens for the [`RecordWriter`].
    """

    def __init__(self, num_tests: int):
        self._num_tests = num_tests
        self.tokens = os.urandom(_TOKEN_BYTES * (num_tests + 4))
        self._next = 0
        self._offset = 0

    def read(self, descriptor: int) -> Iterator[Record]:
        """
        Read the records that were added since the last call.

        Reading stops for good at the first bytes that are not a record.

        Args:
            descriptor (`int`): The file that the program's process appends to.

        Yields:
            [`Record`]: A record with the right token, about a test that exists.
        """
        length = os.fstat(descriptor).st_size
        while self._offset + _HEADER.size <= length:
            token, kind, test, size, cpu, wall = _HEADER.unpack(os.pread(descriptor, _HEADER.size, self._offset))
            start = self._offset + _HEADER.size
            if start + size > length or token != self.tokens[self._next : self._next + _TOKEN_BYTES]:
                break
            self._next += _TOKEN_BYTES
            self._offset = start + size
            is_read = kind != RecordKind.DONE and 0 < size <= _MAX_BYTES_READ
            payload = os.pread(descriptor, size, start) if is_read else b""
            if test == _NO_TEST or test < self._num_tests:
                yield Record(kind, -1 if test == _NO_TEST else test, payload, start, size, cpu, wall)
