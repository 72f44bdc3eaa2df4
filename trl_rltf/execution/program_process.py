"""The process of one program: takes on its limits, runs the program and sends plain data back; all in here is hostile."""

from __future__ import annotations

import atexit
import builtins
import json
import os
import resource
import sys
import threading
import types
from collections.abc import Callable
from typing import Any, NoReturn

from .plain_values import encode


FILENAME = "<program>"
# What the graders of APPS import before a call-based solution; LeetCode does the same.
_PRELUDE = """
import bisect, collections, copy, datetime, fractions, functools, heapq, itertools, math, operator, random, re, string
import statistics, sys, time
from typing import *
from bisect import bisect_left, bisect_right, insort
from collections import *
from copy import deepcopy
from fractions import Fraction
from functools import cache, cmp_to_key, lru_cache, reduce
from heapq import *
from itertools import *
from math import ceil, comb, cos, exp, fabs, factorial, floor, gcd, hypot, inf, isqrt, log, log2, pi, sin, sqrt, tan
"""
_prelude_names: dict[str, Any] = {}


def load_prelude() -> None:
    """Import once, in the worker, what call-based programs expect to find."""
    exec(compile(_PRELUDE, "<prelude>", "exec"), _prelude_names)


def take_limits(limits: dict[str, Any], cpu_seconds: int) -> None:
    """
    Limit this process before it runs anything. Soft and hard limits are equal, so the program cannot raise them.

    Args:
        limits (`dict`): `memory_limit`, `output_limit` (bytes), `rlimit_nproc` and `max_open_files`.
        cpu_seconds (`int`): CPU seconds after which the kernel kills the process, should the supervisor not have.
    """
    os.setsid()
    bounds = {
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_AS: limits["memory_limit"],
        resource.RLIMIT_FSIZE: limits["output_limit"],
        resource.RLIMIT_NOFILE: limits["max_open_files"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_STACK: 128 * 2**20,  # solutions recurse deeply; the kernel leaves at least this gap
        resource.RLIMIT_NPROC: limits["rlimit_nproc"],
    }
    for kind, bound in bounds.items():
        hard = resource.getrlimit(kind)[1]
        value = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(kind, (value, value))


class Channel:
    """
    The pipe on which the process reports, one JSON record a line.

    Args:
        descriptor (`int`): File descriptor to write to.
    """

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._write = os.write
        self._dumps = json.dumps

    def send(self, kind: str, **fields: Any) -> None:
        """Send one record."""
        data = memoryview(self._dumps({"kind": kind, **fields}).encode() + b"\n")
        while data:
            data = data[self._write(self._descriptor, data) :]


def run_in_this_process(request: dict[str, Any], indices: list[int], channel: Channel) -> NoReturn:
    """
    Run a program on some of its tests and end this process.

    Args:
        request (`dict`): `source`, `mode`, `setup` and `probes`.
        indices (`list[int]`): The tests to run, in order; only one in mode `"stdin"`.
        channel ([`Channel`]): Where to report.
    """
    try:
        code = compile(request["source"], FILENAME, "exec", dont_inherit=True)
    except BaseException as error:  # any text may be compiled, and the compiler raises more than SyntaxError
        channel.send("error", test=None, **_describe(error, "compile"))
        os._exit(0)
    channel.send("compiled")
    _open_standard_streams()
    if request["mode"] == "stdin":
        _run_script(code, indices[0], channel)
    else:
        _run_functions(code, request, indices, channel)
    os._exit(0)


def _open_standard_streams() -> None:
    # Text mode reads and writes as a fresh interpreter would; the worker's own streams are not the program's.
    modes = {
        "stdin": ("r", "surrogateescape"),
        "stdout": ("w", "surrogateescape"),
        "stderr": ("w", "backslashreplace"),
    }
    for descriptor, (name, (mode, errors)) in enumerate(modes.items()):
        stream = open(descriptor, mode, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _module(name: str, names: dict[str, Any] | None = None) -> dict[str, Any]:
    module = types.ModuleType(name)
    module.__dict__.update(names or {}, __name__=name, __file__="program.py", __builtins__=builtins)
    sys.modules[name] = module
    sys.argv = ["program.py"]
    sys.setrecursionlimit(1000 + 20)  # the frames below the program's own
    return module.__dict__


def _run_script(code: types.CodeType, index: int, channel: Channel) -> None:
    namespace = _module("__main__")
    failed_threads: list[BaseException] = []
    threading.excepthook = lambda hook: failed_threads.append(hook.exc_value) if hook.exc_value else None
    channel.send("start", test=index)
    try:
        _exit_cleanly(lambda: exec(code, namespace))
        if failed_threads:
            raise failed_threads[0]
    except SystemExit as error:
        if error.code not in (None, 0):
            channel.send("error", test=index, **_describe(error, "run"))
            return
    except BaseException as error:  # model output never raises: whatever it did is data
        channel.send("error", test=index, **_describe(error, "run"))
        return
    channel.send("done", test=index, values=[])


def _exit_cleanly(body: Callable[[], None]) -> None:
    """Do what the interpreter does at its end: many solutions start a thread, or print from an `atexit` handler."""
    try:
        body()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.__stdout__):
            if stream is not None and not stream.closed:
                stream.flush()


def _run_functions(code: types.CodeType, request: dict[str, Any], indices: list[int], channel: Channel) -> None:
    is_call = "call" in request["probes"][indices[0]]
    namespace = _module("program", _prelude_names if is_call else None)
    channel.send("start", test=indices[0])
    try:
        exec(code, namespace)
        exec(compile(request["setup"], "<setup>", "exec", dont_inherit=True), namespace)
    except BaseException as error:
        channel.send("error", test=None, **_describe(error, "run"))
        return
    for index in indices:
        channel.send("start", test=index)
        try:
            values = _observe(request["probes"][index], namespace)
        except BaseException as error:
            description = _describe(error, "run")
            refuted = type(error) is AssertionError and description["position"] is None
            if refuted and "statements" in request["probes"][index]:
                channel.send("done", test=index, values=[False])
            else:
                channel.send("error", test=index, **description)
        else:
            channel.send("done", test=index, values=values)
    _exit_cleanly(lambda: None)


def _observe(probe: dict[str, Any], namespace: dict[str, Any]) -> list[Any]:
    if "call" in probe:
        name = probe["call"]
        owner = namespace.get("Solution")
        function = getattr(owner(), name, None) if isinstance(owner, type) else None
        function = namespace.get(name) if function is None else function
        if function is None:
            raise NameError(f"the program defines no function {name!r}")
        return [encode(function(*probe["arguments"]))]
    if "statements" in probe:
        exec(compile(probe["statements"], "<test>", "exec", dont_inherit=True), namespace)
        return [True]
    return [
        encode(eval(compile(text, "<test>", "eval", dont_inherit=True), namespace)) for text in probe["expressions"]
    ]


def _describe(error: BaseException, phase: str) -> dict[str, Any]:
    """Type, message and place of an exception; `in_program` tells whether the program's own code was running."""
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
