"""Serve the program to the referee: call its functions, return plain data."""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import struct
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from ...wire.plain_values import decode, encode, is_plain
from ..program.functions import Loaded, load
from ..program.interpreter import describe_error


if TYPE_CHECKING:
    from ...wire.messages import ProgramPayload


_HEADER = struct.Struct("!I")


class MessagePipe:
    """
    Two pipes for messages of JSON, each with its length before it.

    Args:
        pipes (`tuple[int, int]`): Descriptors to read from and to write to.
    """

    def __init__(self, pipes: tuple[int, int]):
        self._source, self._sink = pipes
        self._read, self._write, self._dumps, self._loads = os.read, os.write, json.dumps, json.loads

    def send(self, message: Any) -> None:
        """Send one message."""
        data = self._dumps(message).encode()
        data = _HEADER.pack(len(data)) + data
        while data:
            data = data[self._write(self._sink, data) :]

    def receive(self) -> Any:
        """
        Wait for one message.

        Raises:
            EOFError: If the other side is gone.
        """
        size = _HEADER.unpack(self._exactly(_HEADER.size))[0]
        return self._loads(self._exactly(size))

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._read(self._source, min(size, 2**20))
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def make_pipes() -> tuple[tuple[int, int], tuple[int, int]]:
    """Make two pipes. Returns the ends of the referee, and those of the program."""
    (answers, to_answer), (requests, to_request) = os.pipe(), os.pipe()
    return (answers, to_request), (requests, to_answer)


def serve_program(request: ProgramPayload, pipes: tuple[int, int]) -> NoReturn:
    """
    Load a program and answer the requests of the referee, until it is gone.

    Args:
        request (`ProgramPayload`): The program, see [`~execution.worker.program.functions.load`].
        pipes (`tuple[int, int]`): Descriptors to read from, and to write to, the referee.
    """
    pipe = MessagePipe(pipes)
    loaded = load(request)
    pipe.send(loaded._replace(namespace={}))
    if loaded.error is not None:
        os._exit(0)
    program = _LoadedModule(loaded)
    while True:
        try:
            question = pipe.receive()
        except EOFError:
            os._exit(0)
        pipe.send(program.answer(question))
        with contextlib.suppress(Exception):  # of a stream that the program made
            sys.stdout.flush()


class _LoadedModule:
    """The functions and iterators of the program, as the referee uses them."""

    def __init__(self, loaded: Loaded):
        self._namespace = loaded.namespace
        self._iterators: list[Iterator[Any]] = []

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        try:
            if "next" in question:
                return self._next(self._iterators[question["next"]])
            return self._call(
                question["name"], decode(question["arguments"], True), decode(question["keywords"], True)
            )
        except BaseException as error:  # an exception of the program is an answer
            return {"error": {**describe_error(error, "run"), **_content_of(error)}}

    def _call(self, name: str, arguments: list[Any], keywords: dict[str, Any]) -> dict[str, Any]:
        if name not in self._namespace:
            raise NameError(f"the program defines no function {name!r}")
        given = [*arguments, *keywords.values()]
        before = [encode(argument, False) for argument in given]
        answer = self._refer(self._namespace[name](*arguments, **keywords))
        after = [encode(argument, False) for argument in given]
        changed = [
            [i, new] for i, (old, new) in enumerate(zip(before, after, strict=True)) if new != old and is_plain(new)
        ]
        return {**answer, "changed": changed} if changed else answer

    def _next(self, iterator: Iterator[Any]) -> dict[str, Any]:
        try:
            return self._refer(next(iterator))
        except StopIteration:
            return {"end": True}

    def _refer(self, value: Any) -> dict[str, Any]:
        if isinstance(value, Iterator):
            self._iterators.append(value)
            return {"iterator": len(self._iterators) - 1}
        return {"value": encode(value)}


def _content_of(error: BaseException) -> dict[str, Any]:
    """Return the first built-in class of an exception, and its arguments."""
    base = next(kind for kind in type(error).__mro__ if getattr(builtins, kind.__name__, None) is kind)
    arguments = encode(list(error.args))
    return {"base": base.__name__, "arguments": arguments if is_plain(arguments) else None}
