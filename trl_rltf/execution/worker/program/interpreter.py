"""Prepare the interpreter for programs: streams, modules, compiler, errors."""

from __future__ import annotations

import builtins
import os
import sys
import types
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .error_site import BYTE_ORDER_MARK


if TYPE_CHECKING:
    from ...wire.messages import ErrorDescription, Phase


FILENAME = "<program>"
_FRAMES_BELOW = 20  # of this module, which do not count against the recursion limit of the program
_STREAMS = (("stdin", "r", "surrogateescape"), ("stdout", "w", "surrogateescape"), ("stderr", "w", "backslashreplace"))
module_namespaces: dict[str, dict[str, Any]] = {}  # by the name that a program may run under


def warm_up_interpreter() -> None:
    """
    Open the streams and make the modules of all programs, once, in the worker.

    A page of memory that is touched after a fork is copied, which costs more than the work itself.
    """
    _use_streams(_open_streams())
    sys.argv = ["program.py"]
    sys.setrecursionlimit(1000 + _FRAMES_BELOW)
    for name in ("__main__", "program"):
        module_namespaces[name] = new_module(name)


def compile_program(source: str) -> types.CodeType:
    """
    Compile a program.

    As in a file, a byte order mark at its beginning is not part of the text.

    Args:
        source (`str`): Any text.

    Raises:
        BaseException: The compiler raises more than `SyntaxError`.
    """
    return compile(source.removeprefix(BYTE_ORDER_MARK), FILENAME, "exec", dont_inherit=True)


def _open_streams() -> list[Any]:
    # As in a fresh interpreter, whose text mode leaves the line ends of the input as they are.
    return [
        open(descriptor, mode, encoding="utf-8", errors=errors, newline="\n", closefd=False)
        for descriptor, (_, mode, errors) in enumerate(_STREAMS)
    ]


def _use_streams(streams: Sequence[Any]) -> None:
    for (name, _, _), stream in zip(_STREAMS, streams, strict=True):
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def new_module(name: str) -> dict[str, Any]:
    """Make a module that imports of this name find, and return its namespace."""
    module = types.ModuleType(name)
    module.__dict__.update(__name__=name, __file__=os.path.abspath("program.py"), __builtins__=builtins)
    sys.modules[name] = module
    return module.__dict__


def describe_error(error: BaseException, phase: Phase) -> ErrorDescription:
    """
    Describe an exception as plain data.

    Args:
        error (`BaseException`): The exception.
        phase (`str`): `"compile"` or `"run"`.

    Returns:
        `ErrorDescription`: Its type, message and place: that of the deepest frame in the code of the program.
    """
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
