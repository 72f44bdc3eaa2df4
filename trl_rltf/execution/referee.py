"""Decide tests that cannot be split in a process of their own, where the program is not."""

# The tests run as they are written; the names of the program that they use stand for calls into the process of the program.
# What the tests expect stays here.

from __future__ import annotations

import builtins
import os
import types
from collections.abc import Sequence
from typing import Any, NoReturn

from . import program_process
from .proxies import CannotLeave, ProgramEnded, RemoteProgram
from .records import Kind, RecordWriter
from .remote import Connection


# As `None < 3` does in a test: the program returned something of the wrong kind, which is a wrong answer.
_WRONG_ANSWERS = (AssertionError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError)


_NEVER_THE_PROGRAM_S = frozenset(
    "zip len range abs enumerate map print isinstance list tuple set dict str int float bool any all round repr type iter next "
    "reversed hasattr getattr callable Exception ValueError TypeError KeyError IndexError AssertionError".split()
)
# A test that replaces streams or built-in functions, or runs an event loop, means those of the program's process.
_TOUCHES_THE_PROCESS = frozenset(
    "stdin stdout redirect_stdout redirect_stderr patch mock monkeypatch capsys asyncio globals builtins".split()
)


def judge(tests: dict[str, Any], indices: Sequence[int], ends: tuple[int, int], writer: RecordWriter) -> NoReturn:
    """
    Run tests, one after the other, against a program that runs elsewhere, report the verdicts, and end this process.

    Args:
        tests (`dict`): `setup`, the `statements` of each test, `inside`: whether a test has to run where the program is, and
            `repeated`: tests whose verdict is known, to run again for what they leave in variables.
        indices (`Sequence[int]`): Which ones to run. What one of them leaves in a variable is there for the next.
        ends (`tuple[int, int]`): Descriptors to read from and to write to the program.
        writer ([`~records.RecordWriter`]): Where to report.
    """
    connection = Connection(ends)
    try:
        hello = connection.receive()
    except (EOFError, OSError, ValueError):
        os._exit(0)
    if hello["compiled"] is not True:
        writer.send_json(Kind.SYNTAX_ERROR, -1, hello["error"])
        writer.send_json(Kind.SITE, -1, hello["site"])
        os._exit(0)
    if hello["error"] is not None:
        writer.send_json(Kind.ERROR, -1, hello["error"])
        os._exit(0)
    program = RemoteProgram(connection, program_process.new_module("test"))
    script = _Script(program, [tests["setup"], *tests["statements"]])
    setup_error = script.run(0)
    setup_decided = program.decided_something
    is_inside = isinstance(setup_error, CannotLeave)
    for index in sorted([*indices, *tests["repeated"]]):
        is_inside = is_inside or tests["inside"][index]
        error = CannotLeave() if is_inside else setup_error or script.run(index + 1)
        if isinstance(error, ProgramEnded):
            break  # how it ended says the rest
        # What such a test leaves for those that follow is known only where it runs to its end.
        is_inside = is_inside or isinstance(error, CannotLeave)
        if index in tests["repeated"]:
            writer.send(Kind.REPEATED, index)
        elif is_inside:
            writer.send(Kind.ALONE, index)
        elif error is None:
            writer.send_json(Kind.DONE, index, [True, program.decided_something])
        else:
            _report(error, index, program, writer)
        if not script.keeps_values(index + 1):
            program.decided_something = setup_decided
    os._exit(0)


class _Script:
    """
    The setup and the tests, which run one after the other with the same variables.

    Args:
        program (`RemoteProgram`): What they are about.
        texts (`list[str]`): The setup and the tests.
    """

    def __init__(self, program: RemoteProgram, texts: list[str]):
        self._program = program
        self._texts = texts
        self._stored: list[set[str]] = []  # names, by part

    def run(self, number: int) -> BaseException | None:
        """Run a part; returns what it raised."""
        namespace = self._program.namespace
        names: list[str] = []
        error = None
        try:
            code = compile(self._texts[number], "<test>", "exec", dont_inherit=True)
            if not _TOUCHES_THE_PROCESS.isdisjoint(_names(code)):
                raise CannotLeave
            loaded = _loaded_names(code)
            names = self._names_to_ask_for(number, loaded)
            self._program.look_up(names)
            self._program.watch(loaded, always=number == 0)
            exec(code, namespace)
        except BaseException as raised:
            error = raised
        for name in names:
            if hasattr(builtins, name):
                # The program's own `sum` is what this test asks for, not what the next one uses.
                namespace.pop(name, None)
        for kind in (ProgramEnded, CannotLeave):
            if kind.was_raised:  # whatever the test has made of it
                return kind()
        return error

    def keeps_values(self, number: int) -> bool:
        """Whether a part leaves something in a variable."""
        return bool(self._stored_by(number))

    def _stored_by(self, number: int) -> set[str]:
        while len(self._stored) <= number:
            code = compile(self._texts[len(self._stored)], "<test>", "exec", dont_inherit=True)
            self._stored.append(_stored_names(code))
        return self._stored[number]

    def _names_to_ask_for(self, number: int, loaded: list[str]) -> list[str]:
        """Names that a part takes from the program: not those of the tests, and not built-in unless there is no other."""
        own = {name for part in range(number + 1) for name in self._stored_by(part)}
        candidates = [name for name in loaded if name not in own and name not in self._program.namespace]
        # A program may be asked for a `sum` of its own, but not for what the test itself is made of.
        return [name for name in candidates if not hasattr(builtins, name)] or [
            name for name in candidates if name not in _NEVER_THE_PROGRAM_S
        ]


def _report(error: BaseException, index: int, program: RemoteProgram, writer: RecordWriter) -> None:
    remote = program.errors.get(id(error))
    if remote is not None:
        writer.send_json(Kind.ERROR, index, remote[1])
    elif isinstance(error, _WRONG_ANSWERS):
        writer.send_json(Kind.DONE, index, [False, program.decided_something])
    else:
        # Without its message, which may tell what is expected: the worker reads this.
        writer.send_json(
            Kind.ERROR, index, {**program_process.describe(error, "run"), "message": "raised by the test"}
        )


def _names(code: types.CodeType) -> list[str]:
    used: dict[str, None] = {}
    pending = [code]
    while pending:
        code = pending.pop(0)
        used |= dict.fromkeys(code.co_names)
        pending += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return list(used)


def _stored_names(code: types.CodeType) -> set[str]:
    import dis  # here, for few tests come this way, and each process pays for what the worker has imported

    stores = ("STORE_NAME", "STORE_GLOBAL")
    return {instruction.argval for instruction in dis.get_instructions(code) if instruction.opname in stores}


def _loaded_names(code: types.CodeType) -> list[str]:
    """Variables that a code reads, also in its functions; not attributes."""
    import dis

    loaded = {
        instruction.argval: None
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS")
    }
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            loaded |= dict.fromkeys(_loaded_names(constant))
    return list(loaded)
