"""The program's end of a test that another process decides: looks up names, makes calls, and answers with plain data."""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import struct
import sys
import types
from collections.abc import Iterator
from typing import Any, NoReturn

from . import error_site, program_process
from .plain_values import decode, encode, is_plain


_HEADER = struct.Struct("!I")
_MOST_WATCHED = 10_000  # characters of a variable that is compared after each request
# What may be asked of an object that cannot leave its process; none of it tells the program what the test expects.
OPERATIONS = ("len", "bool", "str", "repr", "iter", "int", "float", "abs", "next")


class Connection:
    """
    Messages of JSON, each with its length before it.

    Args:
        ends (`tuple[int, int]`): Descriptors to read from and to write to.
    """

    def __init__(self, ends: tuple[int, int]):
        self._source, self._sink = ends
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


def make_connection() -> tuple[tuple[int, int], tuple[int, int]]:
    """Two pipes: for the test and for the program, where each reads and writes."""
    (answers, to_answer), (requests, to_request) = os.pipe(), os.pipe()
    return (answers, to_request), (requests, to_answer)


def serve(source: str, ends: tuple[int, int]) -> NoReturn:
    """
    Load a program and answer what the other side asks, until it is gone.

    Args:
        source (`str`): The program.
        ends (`tuple[int, int]`): Descriptors to read from and to write to.
    """
    connection = Connection(ends)
    hello: dict[str, Any] = {"compiled": True, "error": None, "site": None}
    try:
        code = compile(source, program_process.FILENAME, "exec", dont_inherit=True)
    except BaseException as error:
        hello["compiled"], hello["error"] = False, program_process.describe(error, "compile")
        hello["site"] = error_site.locate(source, hello["error"])
        connection.send(hello)
        os._exit(0)
    namespace = program_process.new_module("program")
    try:
        exec(code, namespace)
    except BaseException as error:
        hello["error"] = program_process.describe(error, "run")
    connection.send(hello)
    program = _Program(namespace)
    while True:
        try:
            request = connection.receive()
        except EOFError:
            os._exit(0)
        connection.send({**program.answer(request), **program.changed_variables()})
        with contextlib.suppress(Exception):  # of a stream of the program's own
            sys.stdout.flush()


class _Program:
    def __init__(self, namespace: dict[str, Any]):
        self._namespace = namespace
        self._objects: list[Any] = []
        self._variables: dict[str, Any] = {}  # that the test has looked up, as it knows them
        self._watched: list[str] = []

    def changed_variables(self) -> dict[str, Any]:
        """Variables of the program that the test reads too, and that have another value since."""
        now = {name: encode(self._namespace.get(name), False) for name in self._watched}
        changed = {name: data for name, data in now.items() if data != self._variables[name] and is_plain(data)}
        self._variables.update(changed)
        return {"variables": changed} if changed else {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            match request["do"]:
                case "look up":
                    return {"names": {name: self._describe_name(name) for name in request["names"]}}
                case "watch":
                    # Not the large ones: they would be looked at after each request.
                    names = [name for name in request["names"] if name in self._variables]
                    self._watched = [name for name in names if is_small(self._variables[name])]
                    return {"value": None}
                case "call":
                    return self._call(request)
                case "get":
                    return self._refer(getattr(self._take(request["target"]), request["name"]))
                case "set":
                    setattr(self._take(request["target"]), request["name"], self._take(request["value"]))
                    return {"value": None}
                case "item":
                    return self._refer(self._take(request["target"])[self._take(request["key"])])
                case "plain":
                    return {"value": encode(self._take(request["target"]))}
                case "equal":
                    return {"value": bool(self._take(request["target"]) == self._take(request["other"]))}
                case operation:
                    return self._operate(operation, self._take(request["target"]))
        except BaseException as error:  # what a program raises is an answer
            return {"error": {**program_process.describe(error, "run"), **_content_of(error)}}

    def _describe_name(self, name: str) -> dict[str, Any]:
        if name not in self._namespace:
            return {"missing": True}
        value = self._namespace[name]
        if isinstance(value, types.ModuleType):
            return {"module": value.__name__, **self._keep(value)}
        origin = getattr(value, "__module__", None)
        if callable(value) and isinstance(origin, str) and origin not in ("program", "__main__"):
            return {"module": origin.lstrip("_"), "attribute": str(value.__name__), **self._keep(value)}
        answer = self._refer(value)
        if "value" in answer:
            self._variables[name] = answer["value"]
        return answer

    def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        arguments = [self._take(argument) for argument in request["arguments"]]
        keywords = {name: self._take(argument) for name, argument in request["keywords"].items()}
        given = {**{str(i): argument for i, argument in enumerate(arguments)}, **keywords}
        before = {place: encode(argument, False) for place, argument in given.items()}
        target = self._take(request["target"])
        result = target(*arguments, **keywords)
        # What a class of the program makes stays here even if it is a list: the test may call its methods.
        answer = self._keep(result) if type(result) is target else self._refer(result)
        after = {place: encode(argument, False) for place, argument in given.items()}
        changed = {place: data for place, data in after.items() if data != before[place] and is_plain(data)}
        return {**answer, "changed": changed} if changed else answer

    def _operate(self, operation: str, value: Any) -> dict[str, Any]:
        if operation == "iter":
            return self._keep(iter(value))
        if operation not in OPERATIONS:
            raise TypeError(f"unknown request {operation!r}")
        return self._refer(getattr(builtins, operation)(value))

    def _take(self, reference: dict[str, Any]) -> Any:
        if "items" in reference:
            return (tuple if reference["is_tuple"] else list)(map(self._take, reference["items"]))
        return self._objects[reference["object"]] if "object" in reference else decode(reference["value"], arrays=True)

    def _refer(self, value: Any) -> dict[str, Any]:
        data = encode(value, read_iterators=False)
        if is_plain(data):
            return {"value": data}
        return self._keep(value)

    def _keep(self, value: Any) -> dict[str, Any]:
        self._objects.append(value)
        answer: dict[str, Any] = {"object": len(self._objects) - 1, "is_class": isinstance(value, type)}
        if isinstance(value, type) and issubclass(value, Exception):
            return {"exception": _lineage(value)}
        return {**answer, "is_iterator": isinstance(value, Iterator)}


def _lineage(kind: type) -> list[str]:
    """Names of a class and of its bases, up to the first that is built-in."""
    names = []
    for base in kind.__mro__:
        names.append(str(base.__name__))
        if base.__module__ == "builtins":
            break
    return names


def _content_of(error: BaseException) -> dict[str, Any]:
    """What a test may ask of an exception."""
    content = {"lineage": _lineage(type(error))}
    for name, value in (("args", list(error.args)), ("attributes", dict(error.__dict__))):
        data = encode(value)
        if is_plain(data):
            content[name] = data
    return content


def is_small(data: Any) -> bool:
    """Whether encoded data may be compared after each request."""
    return len(json.dumps(data)) <= _MOST_WATCHED
