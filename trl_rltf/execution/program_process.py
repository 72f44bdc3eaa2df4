"""The process of one program: takes on its limits, runs the program and sends plain data back; all in here is hostile."""

from __future__ import annotations

import atexit
import builtins
import contextlib
import gc
import os
import resource
import sys
import threading
import types
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

from . import error_site
from .records import Kind, RecordWriter
from .sharing import Sharing


FILENAME = "<program>"
_FRAMES_BELOW = 20  # of this module, which the program's own recursion limit does not pay for
_STREAMS = (("stdin", "r", "surrogateescape"), ("stdout", "w", "surrogateescape"), ("stderr", "w", "backslashreplace"))
_namespaces: dict[str, dict[str, Any]] = {}
_sharing: list[Sharing] = []


class StandardFiles(NamedTuple):
    """Descriptors that become standard input and output for one test."""

    stdin: int
    stdout: int


def warm_up() -> None:
    """
    Do once, in the worker, what each program's process would do again: imports, streams, the tables of the compiler. A page
    of memory that is touched after a fork is copied, which costs more than the work.
    """
    _use_streams(_open_streams())
    sys.argv = ["program.py"]
    sys.setrecursionlimit(1000 + _FRAMES_BELOW)
    _namespaces["__main__"] = new_module("__main__")
    _sharing.append(Sharing())


def lowest_limit(kind: int, bound: int) -> tuple[int, int]:
    """Soft and hard limit of a resource; they are equal, so that a program cannot raise them."""
    hard = resource.getrlimit(kind)[1]
    value = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    return value, value


def run_scripts(source: str, indices: Sequence[int], files: Sequence[StandardFiles], writer: RecordWriter) -> NoReturn:
    """
    Run a program on some of its inputs and end this process.

    Args:
        source (`str`): The program.
        indices (`Sequence[int]`): The tests to run, in order.
        files (`Sequence[StandardFiles]`): Standard input and output of each of them.
        writer ([`~records.RecordWriter`]): Where to report.
    """
    code = compile_or_report(source, writer)
    if code is not None:
        _run_scripts(code, indices, files, writer)
    os._exit(0)


def compile_program(source: str) -> types.CodeType:
    """Compile a program as `python program.py` does."""
    return compile(source.removeprefix("\ufeff"), FILENAME, "exec", dont_inherit=True)


def compile_or_report(source: str, writer: RecordWriter) -> types.CodeType | None:
    """Compile a program, or report why it does not compile, and where: nothing hostile has run yet."""
    try:
        return compile_program(source)
    except BaseException as error:  # any text may be compiled, and the compiler raises more than SyntaxError
        description = describe(error, "compile")
        writer.send_json(Kind.SYNTAX_ERROR, -1, description)
    writer.send_json(Kind.SITE, -1, error_site.locate(source, description))
    return None


def _open_streams(number: int = len(_STREAMS)) -> list[Any]:
    # Text mode reads and writes as a fresh interpreter would.
    return [
        open(descriptor, mode, encoding="utf-8", errors=errors, closefd=False)
        for descriptor, (_, mode, errors) in enumerate(_STREAMS[:number])
    ]


def _use_streams(streams: Sequence[Any]) -> None:
    for (name, _, _), stream in zip(_STREAMS, streams, strict=False):
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def new_module(name: str) -> dict[str, Any]:
    """The namespace of a fresh module of this name, which is also the one that imports find."""
    module = types.ModuleType(name)
    module.__dict__.update(__name__=name, __file__="program.py", __builtins__=builtins)
    sys.modules[name] = module
    return module.__dict__


def _run_scripts(
    code: types.CodeType, indices: Sequence[int], files: Sequence[StandardFiles], writer: RecordWriter
) -> None:
    sharing, may_share = _sharing[0], len(indices) > 1 and _sharing[0].may_share(code)
    stderr, own_pid = [sys.stderr], os.getpid()
    for number, (index, (stdin, stdout)) in enumerate(zip(indices, files, strict=False)):
        if number:
            os.dup2(stdin, 0)
            os.dup2(stdout, 1)
            _use_streams([*_open_streams(2), *stderr])
            sys.argv = ["program.py"]
            sys.setrecursionlimit(1000 + _FRAMES_BELOW)
        namespace = new_module("__main__") if number else _namespaces["__main__"]
        error = _run_script(code, namespace)
        if os.getpid() != own_pid:
            os._exit(_exit_code(error))  # a fork of the program has come to its end; its parent reports
        if error is not None and number and sharing.may_be_at_fault(error):
            break  # without a verdict: the supervisor runs this test again, in a process of its own
        description = None if error is None else describe(error, "run")
        del error
        # Objects that still hold output write it now, as they would at the end of the interpreter, and memory is free.
        namespace.clear()
        gc.collect()
        with contextlib.suppress(Exception):
            sys.__stdout__.flush()  # type: ignore[union-attr]
        may_go_on = may_share and sharing.may_go_on()
        if description is None:
            writer.send(Kind.DONE, index)
        else:
            writer.send_json(Kind.ERROR, index, description)
        if not may_go_on:
            writer.send(Kind.ALONE)
            break


def _run_script(code: types.CodeType, namespace: dict[str, Any]) -> BaseException | None:
    failed_threads: list[BaseException] = []
    threading.excepthook = lambda hook: failed_threads.append(hook.exc_value) if hook.exc_value else None
    try:
        _exit_cleanly(lambda: exec(code, namespace))
        if failed_threads:
            raise failed_threads[0]
    except SystemExit as error:
        return None if error.code in (None, 0) else error
    except BaseException as error:  # model output never raises: whatever it did is data
        return error
    return None


def _exit_code(error: BaseException | None) -> int:
    """What the interpreter would end with."""
    if isinstance(error, SystemExit):
        return error.code & 0xFF if isinstance(error.code, int) else int(error.code is not None)
    return int(error is not None)


def _exit_cleanly(body: Callable[[], None]) -> None:
    """Do what the interpreter does at its end: many solutions start a thread, or print from an `atexit` handler."""
    try:
        body()
    finally:
        if threading.active_count() > 1:
            threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.__stdout__):
            if stream is not None and not stream.closed:
                stream.flush()


def describe(error: BaseException, phase: str) -> dict[str, Any]:
    """Type, message and place of an exception; the place is that of the deepest frame in the program's own code."""
    name = type(error).__name__
    try:
        message = str(error.msg if isinstance(error, SyntaxError) else error)[:500]
    except BaseException:  # a program may define `__str__`
        message = ""
    position: list[int] | None = None
    if phase == "compile":
        position = _syntax_error_position(error) if isinstance(error, SyntaxError) else None
    else:
        trace = error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if code.co_filename == FILENAME:
                instruction = list(code.co_positions())[trace.tb_lasti // 2] if trace.tb_lasti >= 0 else (None,) * 4
                line = instruction[0] or trace.tb_lineno
                position = [
                    line,
                    instruction[1] or line,
                    -1 if instruction[2] is None else instruction[2],
                    -1 if instruction[3] is None else instruction[3],
                ]
            trace = trace.tb_next
    return {"phase": phase, "type": str(name), "message": message, "position": position}


def _syntax_error_position(error: SyntaxError) -> list[int] | None:
    if error.lineno is None:
        return None
    return [
        error.lineno,
        error.end_lineno or error.lineno,
        (error.offset or 0) - 1,
        (error.end_offset or 0) - 1,
    ]
