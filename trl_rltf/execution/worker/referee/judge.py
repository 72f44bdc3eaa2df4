"""Run unsplittable tests in a second process, away from the program."""

# The tests run as they are written. A name of the program stands for a function that calls the process of the program. The
# answers that the tests expect stay here.

from __future__ import annotations

import builtins
import collections
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from ...wire.plain_values import decode, encode, is_plain
from ..program.functions import WRONG_ANSWERS, Loaded, report_loading, run_test
from ..program.interpreter import describe_error, new_module
from ..records import RecordKind, RecordWriter
from .program_server import MessagePipe


if TYPE_CHECKING:
    from ...wire.messages import RefereePayload


class _TestAborted(BaseException):
    """The program is gone, or its answer is malformed, so that no test can continue."""


def judge(tests: RefereePayload, indices: Sequence[int], pipes: tuple[int, int], writer: RecordWriter) -> NoReturn:
    """
    Run tests against a program in another process, and report the verdicts.

    Then this process ends.

    Args:
        tests (`RefereePayload`): `setup`, the `statements` of each test, and the `names` of the program's functions.
        indices (`Sequence[int]`): The tests to run, in order. A test may use the variables of earlier tests.
        pipes (`tuple[int, int]`): Descriptors to read from, and to write to, the program.
        writer ([`~execution.worker.records.RecordWriter`]): Takes the reports.
    """
    pipe = MessagePipe(pipes)
    try:
        loaded = Loaded(*pipe.receive())
        can_run = report_loading(loaded, indices, writer)
        missing = set(loaded.missing)
    except (EOFError, OSError, ValueError, TypeError, KeyError, RecursionError):
        os._exit(0)
    if not can_run:
        os._exit(0)
    program = _RemoteProgram(pipe)
    namespace = new_module("test")
    namespace.update({name: program.function(name) for name in tests["names"] if name not in missing})
    setup_error = _run(tests["setup"], namespace)
    for index in indices:
        error = setup_error or _run(tests["statements"][index], namespace)
        if program.has_ended:
            break  # the exit status of its process describes the error
        if error is None:
            writer.send_json(RecordKind.DONE, index, [True])
        else:
            _report(error, index, program, writer)
    os._exit(0)


def _run(text: str, namespace: dict[str, Any]) -> BaseException | None:
    try:
        run_test(text, namespace)
    except BaseException as error:
        return error
    return None


def _report(error: BaseException, index: int, program: _RemoteProgram, writer: RecordWriter) -> None:
    if id(error) in program.errors:
        writer.send_json(RecordKind.ERROR, index, program.errors[id(error)][1])
    elif isinstance(error, WRONG_ANSWERS):
        writer.send_json(RecordKind.DONE, index, [False])
    else:
        description = describe_error(error, "run")
        if not isinstance(error, NameError):  # a message may contain the expected answer, and the worker reads it
            description["message"] = "raised by the test"
        writer.send_json(RecordKind.ERROR, index, description)


class _RemoteProgram:
    """
    The functions of the program, as the tests see them.

    Args:
        pipe ([`~execution.worker.referee.program_server.MessagePipe`]): The connection to its process.

    Attributes:
        errors (`dict`): By identity, each exception that the program raised, and its description by the program's process.
        has_ended (`bool`): Whether the program is gone, also where a test has caught the exception.
    """

    def __init__(self, pipe: MessagePipe):
        self._pipe = pipe
        # Exceptions are kept alive with their descriptions, so that no other gets their identity.
        self.errors: dict[int, tuple[BaseException, dict[str, Any]]] = {}
        self.has_ended = False

    def function(self, name: str) -> Callable[..., Any]:
        """Make the function that stands for one of the program."""

        def call(*arguments: Any, **keywords: Any) -> Any:
            question = {"name": name, "arguments": encode(list(arguments)), "keywords": encode(keywords)}
            if not (is_plain(question["arguments"]) and is_plain(question["keywords"])):
                raise TypeError(f"the test gives {name} something that is not plain data")
            answer = self._ask(question)
            given = [*arguments, *keywords.values()]
            for place, data in answer.get("changed", ()):
                _replace_content(given[place], decode(data, True))
            return self._value(answer)

        return call

    def _value(self, answer: dict[str, Any]) -> Any:
        if "iterator" in answer:
            return self._items(answer["iterator"])
        return decode(answer.get("value"), True)

    def _items(self, number: int) -> Iterator[Any]:
        while not (answer := self._ask({"next": number})).get("end"):
            yield self._value(answer)

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        try:
            self._pipe.send(question)
            answer = self._pipe.receive()
        except (EOFError, OSError, ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            self.has_ended = True
            raise _TestAborted
        if "error" in answer:
            error = _exception_of(answer["error"])
            self.errors[id(error)] = error, answer["error"]
            raise error
        return answer


def _exception_of(description: Any) -> BaseException:
    """Rebuild an exception of the program, so that a test can catch it and look at it."""
    fields = description if isinstance(description, dict) else {}
    base = getattr(builtins, str(fields.get("base")), None)
    if not (isinstance(base, type) and issubclass(base, (Exception, SystemExit))) or issubclass(base, StopIteration):
        base = RuntimeError  # a StopIteration would end a loop over calls early
    arguments = decode(fields.get("arguments"))
    name, message = str(fields.get("type")), str(fields.get("message", ""))
    kind = base if name == base.__name__ else type(name, (base,), {"__str__": lambda self: message})
    try:
        return kind(*(arguments if isinstance(arguments, list) else [message]))
    except TypeError:
        return type(name, (Exception,), {})(message)


def _replace_content(old: Any, new: Any) -> None:
    """
    Change an argument in place as the program has changed its copy.

    The mutable objects in it are changed in place, too, so that they stay the same objects for the test.
    """
    if isinstance(old, (list, collections.deque)) and type(old) is type(new):
        items = [_replaced(*pair) for pair in zip(old, new, strict=False)]
        added = list(new)[len(items) :]
        old.clear()
        old.extend([*items, *added])
    elif isinstance(old, dict) and isinstance(new, dict):
        content = {key: _replaced(old[key], item) if key in old else item for key, item in new.items()}
        old.clear()
        old.update(content)
    elif isinstance(old, set) and isinstance(new, set):
        old.clear()
        old.update(new)
    elif isinstance(old, bytearray) or type(old).__name__ == "ndarray":
        old[:] = new


def _replaced(old: Any, new: Any) -> Any:
    if type(old) is not type(new):
        return new
    if isinstance(old, tuple) and len(old) == len(new):
        items = tuple(map(_replaced, old, new))
        return old if all(item is own for item, own in zip(items, old, strict=True)) else items
    if isinstance(old, (list, dict, set, bytearray, collections.deque)):
        _replace_content(old, new)
        return old
    return new
