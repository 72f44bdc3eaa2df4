"""Run a script as the interpreter would: from its text to its exit code."""

from __future__ import annotations

import _thread
import ast
import atexit
import builtins
import contextlib
import gc
import importlib
import json
import linecache
import opcode
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from ..files import LOG, STDIN, STDOUT
from ..program.error_site import BYTE_ORDER_MARK
from ..program.interpreter import FILENAME, compile_program, describe_error, module_namespaces


if TYPE_CHECKING:
    from ...wire.messages import ErrorDescription


# If a script imports these modules, its server imports them once, before the processes of the script are forked. A process
# cannot tell this from its own import; other modules may open files, start threads or keep the process id.
_IMPORTED_BEFORE = frozenset(
    "__future__ abc argparse array ast asyncio atexit base64 binascii bisect bz2 calendar cmath codecs collections "
    "collections.abc concurrent.futures contextlib contextvars copy copyreg csv ctypes dataclasses datetime decimal difflib "
    "dis enum errno fileinput fractions functools gc glob gzip hashlib heapq hmac html inspect io itertools json keyword "
    "linecache locale logging lzma math numbers numpy numpy.linalg opcode operator os os.path pathlib pickle platform pprint "
    "queue random re reprlib resource secrets select shlex shutil signal stat statistics string struct subprocess sys "
    "tempfile textwrap threading time timeit token tokenize traceback types typing unicodedata unittest urllib.parse uuid "
    "warnings weakref zlib zoneinfo".split()
)
# A script that contains one of these words may look for its file.
_LOOKS_FOR_ITS_FILE = (
    "__file__", "argv", "program.py", "inspect", "getsource", "linecache", "traceback", "spawn", "forkserver",
    "multiprocessing", "runpy", "doctest", "unittest", "pdb", "trace",
)  # fmt: skip
_NOT_A_FUNCTION_ERRORS = ("'return' outside function", "no binding for nonlocal ")
_ENDS_LATER = 0x20 | 0x80 | 0x200  # flags of generators and coroutines, whose call does not run them
_IMPORT, _EXTENDED = opcode.opmap["IMPORT_NAME"], opcode.opmap["EXTENDED_ARG"]
_TIMES_TO_LEARN = 20  # until the interpreter has adapted its code, which is written to memory
_FLUSH_FAILED = 120  # the exit code of an interpreter that cannot write what is left


def warm_up_scripts() -> None:
    """
    Run a small script, once, in the worker.

    See [`~execution.worker.program.interpreter.warm_up_interpreter`].
    """
    text = "import sys\nvalues = sys.stdin.read().split()\nprint(sum(map(int, values)), *sorted(values), sep=' ')\n"
    hook = threading.excepthook
    for _ in range(_TIMES_TO_LEARN):
        os.write(STDIN, b"3 4\n5\n")
        os.lseek(STDIN, 0, os.SEEK_SET)
        sys.stdin.seek(0)
        _run(compile_program(text), {"__name__": "warm_up", "__builtins__": builtins})
        for descriptor in (STDIN, STDOUT):
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
    threading.excepthook = hook


def compile_script(source: str) -> types.CodeType:
    """
    Compile a script.

    Many solutions of APPS are correct only as the body of a function. They become one.

    Args:
        source (`str`): Any text.

    Raises:
        BaseException: The compiler raises more than `SyntaxError`.
    """
    try:
        return compile_program(source)
    except SyntaxError as error:
        code = _compile_as_body(source) if str(error.msg).startswith(_NOT_A_FUNCTION_ERRORS) else None
        if code is None:
            raise
        return code


def _compile_as_body(source: str) -> types.CodeType | None:
    with contextlib.suppress(SyntaxError, ValueError, RecursionError):
        tree = ast.parse(source.removeprefix(BYTE_ORDER_MARK))
        # Both are allowed only at the level of a module.
        outside = [
            node
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and (node.module == "__future__" or node.names[0].name == "*")
        ]
        frame = ast.parse("def body():\n    pass\nbody()")
        function, call = frame.body
        assert isinstance(function, ast.FunctionDef)
        assert isinstance(call, ast.Expr)
        assert isinstance(call.value, ast.Call)
        assert isinstance(call.value.func, ast.Name)
        function.name = call.value.func.id = "<module>"  # a name that no program can use
        function.body = [node for node in tree.body if node not in outside] or function.body
        tree.body = [*outside, function, call]
        code = compile(tree, FILENAME, "exec", dont_inherit=True)
        body = next(constant for constant in code.co_consts if isinstance(constant, types.CodeType))
        if not body.co_flags & _ENDS_LATER:
            return code
    return None


def prepare_script(source: str, code: types.CodeType) -> None:
    """
    Import the modules of a script, and keep its text for error messages.

    Done once, before the processes of the script are forked.

    Args:
        source (`str`): The text.
        code (`types.CodeType`): The compiled text. It does not run.
    """
    for name in {*_imported_names(code)} & _IMPORTED_BEFORE:
        with contextlib.suppress(BaseException):  # the script raises it again
            importlib.import_module(name)
    if looks_for_its_file(source):
        text = source.removeprefix(BYTE_ORDER_MARK)
        linecache.cache[FILENAME] = len(text), None, text.splitlines(keepends=True), FILENAME


def looks_for_its_file(source: str) -> bool:
    """Whether a script may look for its file."""
    return any(word in source for word in _LOOKS_FOR_ITS_FILE)


def write_script_file(source: str) -> None:
    """Write the file that `__file__` names."""
    path = module_namespaces["__main__"]["__file__"]
    with contextlib.suppress(OSError), open(path, "w", encoding="utf-8", newline="") as file:
        file.write(source)


def remove_script_file() -> None:
    """Remove the file that `__file__` names."""
    with contextlib.suppress(OSError):
        os.unlink(module_namespaces["__main__"]["__file__"])


def _imported_names(code: types.CodeType) -> Iterator[str]:
    operations, arguments = code.co_code[::2], code.co_code[1::2]
    place = operations.find(_IMPORT)
    while place >= 0:
        high = arguments[place - 1] << 8 if place and operations[place - 1] == _EXTENDED else 0
        if high + arguments[place] < len(code.co_names):
            yield code.co_names[high + arguments[place]]
        place = operations.find(_IMPORT, place + 1)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _imported_names(constant)


def run_script(code: types.CodeType) -> NoReturn:
    """
    Run a script and end this process as the interpreter would.

    If the exit code is not 0, the log describes the error.

    Args:
        code (`types.CodeType`): The script.
    """
    # The program may replace these functions.
    own_pid, getpid, write, dumps, leave = os.getpid(), os.getpid, os.write, json.dumps, os._exit
    for name in ("random", "numpy.random"):
        if name in sys.modules:  # imported before the fork, it would give each process the same numbers
            sys.modules[name].seed()
    status, description = _run(code, module_namespaces["__main__"])
    if description is not None and getpid() == own_pid:  # not a fork of the program, whose parent reports
        write(LOG, dumps(description).encode())
    leave(status)


def _run(code: types.CodeType, namespace: dict[str, Any]) -> tuple[int, ErrorDescription | None]:
    failed_threads: list[BaseException] = []

    def note(hook: Any) -> None:
        if hook.exc_value is not None and not isinstance(hook.exc_value, SystemExit):
            failed_threads.append(hook.exc_value)

    threading.excepthook = note
    error: BaseException | None = None
    try:
        exec(code, namespace)
    except BaseException as raised:  # an error of the program is data
        error = raised
        if not isinstance(raised, SystemExit) and sys.excepthook is not sys.__excepthook__:
            _ignore_errors(sys.excepthook, type(raised), raised, raised.__traceback__)
    if _thread._count():
        _ignore_errors(threading._shutdown)  # type: ignore[attr-defined]
    if atexit._ncallbacks():
        atexit._run_exitfuncs()
    if error is None and failed_threads:
        error = failed_threads[0]
    status = _exit_code(error)
    description = describe_error(error, "run") if error is not None and status else None
    del error
    failed_threads.clear()
    not_written = _flush(getattr(sys, "stdout", None)) or _flush(getattr(sys, "stderr", None))
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, name, getattr(sys, f"__{name}__", None))
    # Objects that still hold output write it now. If that fails, the interpreter is silent; the stream may be detached.
    namespace.clear()
    gc.collect(2 if gc.get_objects(2) else 1)
    _flush(sys.stdout)
    if not_written is not None:
        status, description = _FLUSH_FAILED, description or describe_error(not_written, "run")
    return status, description


def _ignore_errors(function: Callable[..., Any], *arguments: Any) -> None:
    with contextlib.suppress(BaseException):
        function(*arguments)


def _exit_code(error: BaseException | None) -> int:
    if not isinstance(error, SystemExit):
        return int(error is not None)
    if isinstance(error.code, int):
        return error.code & 0xFF if abs(error.code) < 2**63 else 0xFF
    return int(error.code is not None)


def _flush(stream: Any) -> BaseException | None:
    """Flush a standard stream, if possible, and return the exception that this raised."""
    if stream is None:
        return None
    try:
        if stream.closed:
            return None
    except BaseException:  # an object of the program may not have it
        pass
    try:
        stream.flush()
    except BaseException as error:
        return error
    return None
