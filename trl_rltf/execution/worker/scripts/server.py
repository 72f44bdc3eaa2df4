"""Run a script on its tests one after the other, each in a process that is forked from the compiled script."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import struct
import types
from collections.abc import Callable, Iterator
from typing import NamedTuple, NoReturn

from ...sandbox.libc import PR_SET_CHILD_SUBREAPER, fork, prctl
from ...sandbox.scratch import ScratchFolders
from ..files import FIRST_FREE, LOG, STDIN, MemoryFiles
from ..program import error_site
from ..program.run import describe
from ..records import Kind
from . import process as script_process


CANNOT_FORK = 71  # exit code of a server
_MOST_BYTES_OF_ERROR = 2**16
_ALL_CHILDREN = 0x40000000  # __WALL: also those that were started in another way
# Kind, status, whether it left nothing, whether it printed too much, where in the answers its output is, the size of that,
# and the number of bytes that follow this header.
_HEADER = struct.Struct("!Bi??QQI")


class TestReport(NamedTuple):
    """What a server says: that it is ready (`kind` is `LOADED`), why it is not, or how the next test ended (`DONE`)."""

    kind: int
    status: int  # as `os.wait` says it
    left_nothing: bool
    printed_too_much: bool
    output: tuple[int, int]
    payload: bytes


class ReportReader:
    """
    Read what a server reports.

    Args:
        descriptor (`int`): Its file; nobody else writes to it.
    """

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._offset = 0

    def read(self) -> Iterator[TestReport]:
        """Yield what was added since the last call."""
        while True:
            header = os.pread(self._descriptor, _HEADER.size, self._offset)
            if len(header) < _HEADER.size:
                return
            kind, status, left_nothing, is_too_much, start, size, num_bytes = _HEADER.unpack(header)
            payload = os.pread(self._descriptor, num_bytes, self._offset + _HEADER.size)
            if len(payload) < num_bytes:
                return
            self._offset += _HEADER.size + num_bytes
            yield TestReport(kind, status, left_nothing, is_too_much, (start, size), payload)


class ScriptServer:
    """
    The process that the processes of a script are forked from. It runs nothing of the script itself, and nothing that it
    learns from one test stays in its memory: which test comes next only the kernel knows.

    Args:
        files ([`~execution.worker.files.MemoryFiles`]): Where scripts read from and write to. Of the inputs the next one is taken.
        folders ([`~execution.sandbox.scratch.ScratchFolders`]): Folders that a script may write to.
        output_limit (`int`): Bytes that a script may print.
        runs_one (`bool`): End after one test in any case.
        become_program (`Callable`): What the process of a test does first, to lock itself in.
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
        """Compile the script, run it on all tests, as long as each leaves nothing behind, and end this process."""
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # what a test leaves becomes a child of this process
        self._files.program.open()
        source = self._files.program.content["source"]
        self._files.program.content = None
        code = self._compile(source)
        script_process.prepare(source, code)
        if not script_process.looks_for_its_file(source):
            source = ""
        os.closerange(FIRST_FREE, FIRST_FREE + 3)  # the line to the caller
        gc.freeze()
        self._report(Kind.LOADED)
        while self._run_next(code, source) and not self._runs_one:
            pass
        os._exit(0)

    def _compile(self, source: str) -> types.CodeType:
        try:
            return script_process.compile_script(source)
        except BaseException as error:  # any text may be compiled, and the compiler raises more than SyntaxError
            description = describe(error, "compile")
        self._report(Kind.SYNTAX_ERROR, payload=json.dumps(description).encode())
        self._report(Kind.SITE, payload=json.dumps(error_site.locate(source, description)).encode())
        os._exit(0)

    def _run_next(self, code: types.CodeType, source: str) -> bool:
        """Run the next test; returns whether there may be another one."""
        files = self._files
        files.renew()
        if not files.referee.move_part(STDIN):
            return False
        os.lseek(STDIN, 0, os.SEEK_SET)
        if source:
            script_process.write_file(source)
        self._folders.touch()
        pid = fork()
        if pid == 0:
            try:
                self._become_program()
                script_process.run_script(code)
            finally:
                os._exit(70)
        if pid < 0:
            os._exit(CANNOT_FORK)
        status = _wait(pid)
        if source:
            script_process.remove_file()
        left_nothing = _has_no_children() and self._folders.are_untouched()
        size = min(os.fstat(LOG).st_size, _MOST_BYTES_OF_ERROR) if status else 0
        output, is_too_much = (
            ((0, 0), False) if not left_nothing else files.take_output(not status, self._output_limit)
        )
        self._report(Kind.DONE, status, left_nothing, is_too_much, output, size)
        return left_nothing

    def _report(
        self,
        kind: Kind,
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
        while offset < num_logged:  # past the memory of this process, where a later test would find it
            offset += os.sendfile(self._files.progress, LOG, offset, num_logged - offset)


def _wait(pid: int) -> int:
    """Wait for a child, and for all orphans that end before it."""
    while True:
        ended, status = os.waitpid(-1, _ALL_CHILDREN)
        if ended == pid:
            return status


def _has_no_children() -> bool:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG | _ALL_CHILDREN)[0]:
            pass
        return False
    return True
