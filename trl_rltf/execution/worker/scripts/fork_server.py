"""Compile a script once, and fork one process per test from it."""

from __future__ import annotations

import gc
import json
import os
import struct
import types
from collections.abc import Callable, Iterator
from typing import NamedTuple, NoReturn

from ...sandbox.libc import PR_SET_CHILD_SUBREAPER, fork, prctl, waitpid
from ...sandbox.scratch import ScratchFolders
from ..files import FIRST_FREE, LOG, STDIN, MemoryFiles
from ..program.error_site import locate
from ..program.interpreter import describe_error
from ..records import RecordKind
from .script import (
    compile_script,
    looks_for_its_file,
    prepare_script,
    remove_script_file,
    run_script,
    write_script_file,
)


EXIT_FAILED, EXIT_CANNOT_FORK = 70, 71  # exit codes of our processes
_MAX_BYTES_OF_ERROR = 2**16
_ALL_CHILDREN = 0x40000000  # __WALL: also those that were started in another way
# The fields of a report, and the number of bytes of its payload, which follow.
_HEADER = struct.Struct("!Bi??QQI")


class ServerReport(NamedTuple):
    """
    A report of a server.

    The server is ready (`LOADED`), cannot compile the script (`SYNTAX_ERROR`, `SITE`), or has run the next test (`DONE`).

    Args:
        kind (`int`): A [`~execution.worker.records.RecordKind`].
        status (`int`): Status of the test's process, as `os.wait` returns it.
        left_nothing (`bool`): Whether no process and no file of the test is left.
        printed_too_much (`bool`): Whether the test printed too much.
        output (`tuple[int, int]`): Place and size of its output in the file of answers.
        payload (`bytes`): The error, as JSON.
    """

    kind: int
    status: int
    left_nothing: bool
    printed_too_much: bool
    output: tuple[int, int]
    payload: bytes


class ReportReader:
    """
    Read the reports of a server.

    Args:
        descriptor (`int`): The file of reports. Only the server writes to it.
    """

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._offset = 0

    def read(self) -> Iterator[ServerReport]:
        """Yield the reports that were added since the last call."""
        while True:
            header = os.pread(self._descriptor, _HEADER.size, self._offset)
            if len(header) < _HEADER.size:
                return
            kind, status, left_nothing, is_too_much, start, size, num_bytes = _HEADER.unpack(header)
            payload = os.pread(self._descriptor, num_bytes, self._offset + _HEADER.size)
            if len(payload) < num_bytes:
                return
            self._offset += _HEADER.size + num_bytes
            yield ServerReport(kind, status, left_nothing, is_too_much, (start, size), payload)


class ScriptServer:
    """
    Compile a script, and fork one process per test.

    The server runs no line of the script itself. It keeps nothing of a test in its memory, not even its number: the kernel
    keeps the position in the file of inputs.

    Args:
        files ([`~execution.worker.files.MemoryFiles`]): The files that scripts read from and write to, and their inputs.
        folders ([`~execution.sandbox.scratch.ScratchFolders`]): Folders that a script may write to.
        output_limit (`int`): Bytes that a script may print.
        runs_one (`bool`): End after one test in any case.
        become_program (`Callable`): Locks in the process of a test, before it runs the script.
    """

    def __init__(
        self,
        files: MemoryFiles,
        folders: ScratchFolders,
        output_limit: int,
        runs_one: bool,
        become_program: Callable[[], None],
    ):
        self._files = files
        self._folders = folders
        self._output_limit = output_limit
        self._runs_one = runs_one
        self._become_program = become_program

    def serve(self) -> NoReturn:
        """
        Compile the script and run its tests, then end this process.

        It also ends after a test that leaves a process or a file behind.
        """
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans of a test become children of this process
        self._files.program.open()
        source = self._files.program.content["source"]
        self._files.program.content = None
        code = self._compile(source)
        prepare_script(source, code)
        if not looks_for_its_file(source):
            source = ""
        os.closerange(FIRST_FREE, FIRST_FREE + 3)  # the pipes to the caller
        gc.freeze()
        self._report(RecordKind.LOADED)
        while self._run_next(code, source) and not self._runs_one:
            pass
        os._exit(0)

    def _compile(self, source: str) -> types.CodeType:
        try:
            return compile_script(source)
        except BaseException as error:  # the source is any text, and the compiler raises more than SyntaxError
            description = describe_error(error, "compile")
        self._report(RecordKind.SYNTAX_ERROR, payload=json.dumps(description).encode())
        self._report(RecordKind.SITE, payload=json.dumps(locate(source, description)).encode())
        os._exit(0)

    def _run_next(self, code: types.CodeType, source: str) -> bool:
        """Run the next test. Returns whether there may be another one."""
        files = self._files
        files.renew()
        if not files.tests.move_part_to(STDIN):
            return False
        os.lseek(STDIN, 0, os.SEEK_SET)
        if source:
            write_script_file(source)
        self._folders.touch()
        pid = fork()
        if pid == 0:
            try:
                self._become_program()
                run_script(code)
            finally:
                os._exit(EXIT_FAILED)
        if pid < 0:
            os._exit(EXIT_CANNOT_FORK)
        status = _wait(pid)
        if source:
            remove_script_file()
        left_nothing = _has_no_children() and self._folders.are_untouched()
        size = min(os.fstat(LOG).st_size, _MAX_BYTES_OF_ERROR) if status else 0
        output, is_too_much = (
            ((0, 0), False) if not left_nothing else files.move_output(not status, self._output_limit)
        )
        self._report(RecordKind.DONE, status, left_nothing, is_too_much, output, size)
        return left_nothing

    def _report(
        self,
        kind: int,
        status: int = 0,
        left_nothing: bool = True,
        is_too_much: bool = False,
        output: tuple[int, int] = (0, 0),
        num_logged: int = 0,
        payload: bytes = b"",
    ) -> None:
        header = _HEADER.pack(kind, status, left_nothing, is_too_much, *output, num_logged + len(payload))
        os.write(self._files.progress, header + payload)
        offset = 0
        while offset < num_logged:  # inside the kernel: a later test would find it in the memory of this process
            offset += os.sendfile(self._files.progress, LOG, offset, num_logged - offset)


def _wait(pid: int) -> int:
    """Wait for a child, and for all orphans that end before it."""
    while True:
        ended, status = os.waitpid(-1, _ALL_CHILDREN)
        if ended == pid:
            return status


def _has_no_children() -> bool:
    """Reap the children that have ended. Returns whether there are no others."""
    while (ended := waitpid(-1, None, os.WNOHANG | _ALL_CHILDREN)) > 0:
        pass
    return bool(ended < 0)
