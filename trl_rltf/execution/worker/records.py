"""Report from a program's process to its supervisor: records that the program cannot forge by chance or by replay."""

from __future__ import annotations

import enum
import json
import os
import struct
import time
from collections.abc import Iterator
from typing import Any, NamedTuple


_MOST_BYTES_READ = 2**16
_TOKEN_BYTES = 8
_HEADER = struct.Struct(
    "!8sBIIdd"
)  # token, kind, test, bytes of the payload, seconds of CPU and of the monotonic clock


class Kind(enum.IntEnum):
    """What a record says. One about a test ends that test, and the next one starts."""

    DONE = 1  # with the values that were observed
    ERROR = 2  # of one test, or of all where loading failed
    SYNTAX_ERROR = 3
    SITE = 4  # the place of an error
    TRAILING = 5  # an error of code after what the tests use
    LOADED = 6  # the program is compiled; the time of the first test starts


class Record(NamedTuple):
    """
    One record; `test` is the index of a test, or -1. The clocks are those at its end: seconds of CPU, and monotonic. Of the
    values of a test the payload is left where it is, in the file from `offset` on.
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
    The end in the program's process. Each record starts with a token that was drawn for it alone, so that what a program
    writes to the descriptor, or reads there and writes again, is no record.

    Args:
        descriptor (`int`): File to append to.
        tokens (`bytes`): The tokens, one after the other.
    """

    def __init__(self, descriptor: int, tokens: bytes):
        self._tokens = memoryview(tokens)
        self._descriptor = descriptor
        self._write = os.write  # a program may replace `os.write`
        self._dumps = json.dumps
        self._pack = _HEADER.pack
        self._process, self._pid, self._exit = os.getpid, os.getpid(), os._exit
        self._cpu_clock, self._wall_clock = time.process_time, time.monotonic

    def send(self, kind: Kind, test: int = -1, payload: bytes = b"") -> None:
        """Append one record."""
        if self._process() != self._pid:
            self._exit(0)  # a fork of the program, whose parent reports
        token, self._tokens = bytes(self._tokens[:_TOKEN_BYTES]), self._tokens[_TOKEN_BYTES:]
        clocks = self._cpu_clock(), self._wall_clock()
        data = self._pack(token, kind, test & 0xFFFFFFFF, len(payload), *clocks) + payload
        while data:
            data = data[self._write(self._descriptor, data) :]

    def send_json(self, kind: Kind, test: int, content: Any) -> None:
        """Append one record whose payload is JSON."""
        self.send(kind, test, self._dumps(content).encode())


class RecordReader:
    """
    The supervisor's end.

    Args:
        num_tests (`int`): Number of tests that the program has.
    """

    def __init__(self, num_tests: int):
        self._num_tests = num_tests
        self.tokens = os.urandom(_TOKEN_BYTES * (num_tests + 4))
        self._next = 0
        self._offset = 0

    def read(self, descriptor: int) -> Iterator[Record]:
        """
        Read the records that were added since the last call, up to the first that is none.

        Args:
            descriptor (`int`): The file that the program's process appends to.

        Yields:
            [`Record`]: A record with a right token, and a test that exists.
        """
        length = os.fstat(descriptor).st_size
        while self._offset + _HEADER.size <= length:
            token, kind, test, size, cpu, wall = _HEADER.unpack(os.pread(descriptor, _HEADER.size, self._offset))
            start = self._offset + _HEADER.size
            if start + size > length or token != self.tokens[self._next : self._next + _TOKEN_BYTES]:
                break
            self._next += _TOKEN_BYTES
            self._offset = start + size
            is_read = kind != Kind.DONE and 0 < size <= _MOST_BYTES_READ
            payload = os.pread(descriptor, size, start) if is_read else b""
            if test == 0xFFFFFFFF or test < self._num_tests:
                yield Record(kind, -1 if test == 0xFFFFFFFF else test, payload, start, size, cpu, wall)
