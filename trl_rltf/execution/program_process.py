"""The process of one program: takes on its limits, runs the program and sends plain data back; all in here is hostile."""

from __future__ import annotations

import builtins
import contextlib
import importlib
import json
import os
import resource
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from . import error_site
from .error_site import BYTE_ORDER_MARK
from .plain_values import encode
from .records import Kind, RecordWriter


FILENAME = "<program>"
_FRAMES_BELOW = 20  # of this module, which the program's own recursion limit does not pay for
# What the graders of APPS import before a call-based solution; LeetCode does the same. Modules, and names of modules.
_PRELUDE_MODULES = tuple(
    "bisect collections copy datetime fractions functools heapq itertools math operator random re string "
    "statistics sys time".split()
)
_PRELUDE_NAMES = {
    "typing": "*",
    "collections": "*",
    "heapq": "*",
    "itertools": "*",
    "bisect": "bisect_left bisect_right insort",
    "copy": "deepcopy",
    "fractions": "Fraction",
    "functools": "cache cmp_to_key lru_cache reduce",
    "math": "ceil comb cos exp fabs factorial floor gcd hypot inf isqrt log log2 pi sin sqrt tan",
}
# Rarely used and large: imported by the process that needs them.
_LEFT_OUT = frozenset(["datetime", "fractions", "random", "statistics"])
_STREAMS = (("stdin", "r", "surrogateescape"), ("stdout", "w", "surrogateescape"), ("stderr", "w", "backslashreplace"))
_prelude: dict[str, Any] = {}
namespaces: dict[str, dict[str, Any]] = {}  # of the modules that a program may become


def warm_up() -> None:
    """
    Do once, in the worker, what each program's process would do again: imports, streams, the tables of the compiler. A page
    of memory that is touched after a fork is copied, which costs more than the work.
    """
    for name in _PRELUDE_MODULES:
        if name not in _LEFT_OUT:
            _prelude[name] = importlib.import_module(name)
    for name, attributes in _PRELUDE_NAMES.items():
        if name not in _LEFT_OUT:
            module = importlib.import_module(name)
            listed = attributes.split() if attributes != "*" else getattr(module, "__all__", dir(module))
            _prelude.update({attribute: getattr(module, attribute) for attribute in listed if attribute[0] != "_"})
    _use_streams(_open_streams())
    sys.argv = ["program.py"]
    sys.setrecursionlimit(1000 + _FRAMES_BELOW)
    for name in ("__main__", "program"):
        namespaces[name] = new_module(name)
    namespace: dict[str, Any] = {}
    source = "def f(values):\n    total = 0\n    for value in values:\n        total += value\n    return [total]\n"
    for _ in range(3):
        exec(compile(source, "<warm up>", "exec", dont_inherit=True), namespace)
        json.dumps([encode(ask()) for ask in _expressions([{"expression": "f([1, 2])"}], [0], namespace).values()])


def _prelude_for(code: types.CodeType) -> dict[str, Any]:
    """The prelude, with the large modules only where the program names them."""
    names = set(_names_in(code))
    late = {name: importlib.import_module(name) for name in _LEFT_OUT & names}
    if "Fraction" in names:
        late["Fraction"] = importlib.import_module("fractions").Fraction
    return {**_prelude, **late}


def _names_in(code: types.CodeType) -> Iterator[str]:
    """The names that a program uses, in all of its functions."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_in(constant)


def lowest_limit(kind: int, bound: int) -> tuple[int, int]:
    """Soft and hard limit of a resource; they are equal, so that a program cannot raise them."""
    hard = resource.getrlimit(kind)[1]
    value = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    return value, value


def run_in_this_process(
    request: dict[str, Any],
    indices: Sequence[int],
    writer: RecordWriter,
    judged: dict[str, Any] | None,
) -> NoReturn:
    """
    Load a program, call it as some of its tests ask, and end this process.

    Args:
        request (`dict`): `source`, `setup` and `probes`.
        indices (`Sequence[int]`): The tests to run, in order.
        writer ([`~records.RecordWriter`]): Where to report.
        judged (`dict`, *optional*): `setup` and `statements` of tests that the program itself has a say in, because no
            referee can decide them; and the tests of a referee that are `repeated`, for what they leave in variables.
    """
    code = compile_or_report(request["source"], writer)
    if code is not None:
        _run_functions(code, request, indices, writer, judged)
    os._exit(0)


def compile_program(source: str) -> types.CodeType:
    """
    Compile a program. As in a file, a byte order mark at its beginning is none of its text.

    Args:
        source (`str`): Any text.

    Raises:
        BaseException: What the compiler raises: more than `SyntaxError`.
    """
    return compile(source.removeprefix(BYTE_ORDER_MARK), FILENAME, "exec", dont_inherit=True)


def compile_or_report(source: str, writer: RecordWriter) -> types.CodeType | None:
    """Compile a program, or report why it does not compile, and where: nothing hostile has run yet."""
    try:
        return compile_program(source)
    except BaseException as error:
        description = describe(error, "compile")
        writer.send_json(Kind.SYNTAX_ERROR, -1, description)
    writer.send_json(Kind.SITE, -1, error_site.locate(source, description))
    return None


def _open_streams() -> list[Any]:
    # Text mode reads and writes as a fresh interpreter would.
    return [
        open(descriptor, mode, encoding="utf-8", errors=errors, closefd=False)
        for descriptor, (_, mode, errors) in enumerate(_STREAMS)
    ]


def _use_streams(streams: Sequence[Any]) -> None:
    for (name, _, _), stream in zip(_STREAMS, streams, strict=True):
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def new_module(name: str) -> dict[str, Any]:
    """The namespace of a fresh module of this name, which is also the one that imports find."""
    module = types.ModuleType(name)
    module.__dict__.update(__name__=name, __file__=os.path.abspath("program.py"), __builtins__=builtins)
    sys.modules[name] = module
    return module.__dict__


def _run_functions(
    code: types.CodeType,
    request: dict[str, Any],
    indices: Sequence[int],
    writer: RecordWriter,
    judged: dict[str, Any] | None,
) -> None:
    namespace = namespaces["program"]
    if "call" in request["probes"][indices[0]]:
        namespace.update(_prelude_for(code))
    try:
        exec(code, namespace)
        ask = _expressions(request["probes"], indices, namespace)
        setup = request["setup"] if judged is None else judged["setup"]
        exec(compile(setup, "<setup>", "exec", dont_inherit=True), namespace)
    except BaseException as error:
        writer.send_json(Kind.ERROR, -1, describe(error, "run"))
        return
    for index in sorted([*indices, *judged["repeated"]]) if judged is not None else indices:
        if judged is not None and index in judged["repeated"]:
            with contextlib.suppress(BaseException):
                exec(compile(judged["statements"][index], "<test>", "exec", dont_inherit=True), namespace)
            writer.send(Kind.REPEATED, index)
            continue
        try:
            if judged is not None:
                exec(compile(judged["statements"][index], "<test>", "exec", dont_inherit=True), namespace)
                value: Any = True
            else:
                value = encode(ask[index]() if index in ask else _call(request["probes"][index], namespace))
        except BaseException as error:
            description = describe(error, "run")
            if type(error) is AssertionError and description["position"] is None and judged is not None:
                writer.send_json(Kind.DONE, index, [False])
            else:
                writer.send_json(Kind.ERROR, index, description)
        else:
            writer.send_json(Kind.DONE, index, [value])
    with contextlib.suppress(Exception):  # of a program's own stream; what it printed is only for the report
        sys.stdout.flush()


def _expressions(
    probes: Sequence[dict[str, Any]], indices: Sequence[int], namespace: dict[str, Any]
) -> dict[int, Callable[[], Any]]:
    """Compile all expressions of a program's tests at once, each to be evaluated in its turn."""
    asked = [index for index in indices if "expression" in probes[index]]
    text = "".join(f"lambda: ({probes[index]['expression']}\n),\n" for index in asked)
    functions = eval(compile(f"[{text}]", "<test>", "eval", dont_inherit=True), namespace)
    return dict(zip(asked, functions, strict=True))


def _call(probe: dict[str, Any], namespace: dict[str, Any]) -> Any:
    name = probe["call"]
    owner = namespace.get("Solution")
    function = getattr(owner(), name, None) if isinstance(owner, type) else None
    function = namespace.get(name) if function is None else function
    if function is None:
        raise NameError(f"the program defines no function {name!r}")
    return function(*probe["arguments"])


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
