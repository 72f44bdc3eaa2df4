"""Decide tests that cannot be split in a process of their own, where the program is not."""

# The tests run as they are written; the names of the program that they use stand for calls into the process of the program.
# What the tests expect stays here.

from __future__ import annotations

import builtins
import collections
import importlib
import os
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from . import program_process
from .plain_values import Opaque, decode, encode, is_plain
from .records import Kind, RecordWriter
from .remote import Connection


# As `None < 3` does in a test: the program returned something of the wrong kind, which is a wrong answer.
_WRONG_ANSWERS = (AssertionError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError)


# Modules that a name of the program may stand for here. In none of them can a value that the program returned become code.
_MODULES = frozenset(
    "bisect cmath collections copy datetime decimal fractions functools heapq itertools json math numbers operator "
    "random re statistics string time".split()
)
# The test may use these, but the program picks nothing there.
_MODULES_WITHOUT_ATTRIBUTES = frozenset(["numpy", "sys", "typing"])
_ALIASES = {"np": "numpy"}
_NEVER_THE_PROGRAM_S = frozenset(
    "zip len range abs enumerate map print isinstance list tuple set dict str int float bool any all round repr type iter next "
    "reversed hasattr getattr callable Exception ValueError TypeError KeyError IndexError AssertionError".split()
)
_PLAIN_ATTRIBUTES = frozenset(["__name__", "__qualname__", "__doc__"])
# A test that replaces streams or built-in functions, or runs an event loop, means those of the program's process.
_TOUCHES_THE_PROCESS = frozenset(
    "stdin stdout redirect_stdout redirect_stderr patch mock monkeypatch capsys asyncio globals builtins".split()
)


_CONTAINERS = (list, dict, set, bytearray, collections.deque)


class _CannotLeave(BaseException):
    """The test hands the program something that is no plain data, such as a function."""


class _ProgramEnded(BaseException):
    """The program is gone, or talks nonsense."""


def judge(tests: dict[str, Any], indices: Sequence[int], ends: tuple[int, int], writer: RecordWriter) -> NoReturn:
    """
    Run tests, one after the other, against a program that runs elsewhere, report the verdicts, and end this process.

    Args:
        tests (`dict`): `setup`, the `statements` of each test, and `inside`: whether a test has to run where the program is.
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
    namespace = program_process.new_module("test")
    program = _RemoteProgram(connection, namespace)
    setup_error = _run(tests["setup"], program, namespace)
    for index in indices:
        error = setup_error
        if tests["inside"][index]:
            error = _CannotLeave()
        elif error is None:
            program.decided_something = False
            error = _run(tests["statements"][index], program, namespace)
        if isinstance(error, _ProgramEnded):
            break  # how it ended says the rest
        if isinstance(error, _CannotLeave):
            writer.send(Kind.ALONE, index)
        elif error is None:
            writer.send_json(Kind.DONE, index, [True, program.decided_something])
        else:
            _report(error, index, program, writer)
    os._exit(0)


def _run(text: str, program: _RemoteProgram, namespace: dict[str, Any]) -> BaseException | None:
    """Run a part of the tests; returns what it raised."""
    names: list[str] = []
    try:
        code = compile(text, "<test>", "exec", dont_inherit=True)
        if not _TOUCHES_THE_PROCESS.isdisjoint(_names(code)):
            raise _CannotLeave
        names = [name for name in _free_names(code) if name not in namespace]
        program.look_up(names)
        exec(code, namespace)
    except BaseException as error:
        return error
    finally:
        for name in names:
            if hasattr(builtins, name):
                namespace.pop(
                    name, None
                )  # the program's own `sum` is what this test asks for, not what the next one uses
    return None


def _report(error: BaseException, index: int, program: _RemoteProgram, writer: RecordWriter) -> None:
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


def _free_names(code: types.CodeType) -> list[str]:
    """Names that the test takes from the program: not its own, and not built-in unless there is no other."""
    own = _stored_names(code)
    candidates = [name for name in _names(code) if name not in own]
    # A program may be asked for a `sum` of its own, but not for what the test itself is made of.
    return [name for name in candidates if not hasattr(builtins, name)] or [
        name for name in candidates if name not in _NEVER_THE_PROGRAM_S
    ]


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


class _RemoteProgram:
    def __init__(self, connection: Connection, namespace: dict[str, Any]):
        self._connection = connection
        self._namespace = namespace
        self._variables: dict[str, Any] = {}  # of the program, as the test was given them
        # Exceptions are kept alive with their descriptions, so that no other gets their identity.
        self.errors: dict[int, tuple[BaseException, dict[str, Any]]] = {}
        self._answers: list[tuple[int, Any]] = []  # with the number of the function that gave each
        self._exceptions: dict[str, type[Exception]] = {}  # of the program, as the test may catch them
        self.decided_something = False  # whether the program's own `__eq__`, or the like, had a say

    def look_up(self, names: list[str]) -> None:
        """Give the test what each name stands for; names that it does not ask for are not the program's to give."""
        answers = self._ask({"do": "look up", "names": names})["names"] if names else {}
        for name in names:
            answer = answers[name]
            value = self._import(str(answer["module"]), answer.get("attribute")) if "module" in answer else None
            known = _ALIASES.get(name, name) in _MODULES | _MODULES_WITHOUT_ATTRIBUTES
            if value is None and known and answer.get("is_class") is True:
                value = self._import(_ALIASES.get(name, name), None)  # no class of a program is called `math`
            if value is not None:
                self._namespace[name] = value
            elif "missing" not in answer:
                # A function of a library, which may be asked to compare, is no function of the program.
                self._namespace[name] = self.take(answer, from_class="module" not in answer and not known)
                if "value" in answer:
                    self._variables[name] = self._namespace[name]

    def _update_variables(self, changed: dict[str, Any]) -> None:
        """A call has changed variables of the program which the test reads too."""
        for name in self._variables.keys() & changed.keys():
            old, new = self._variables[name], decode(changed[name], arrays=True)
            if type(old) is type(new) and isinstance(old, _CONTAINERS):
                _replace_content(old, new)
            elif self._namespace.get(name) is old:  # and not what the test itself has put there
                self._namespace[name] = self._variables[name] = new

    @staticmethod
    def _import(module: str, attribute: Any) -> Any:
        if module not in (_MODULES if attribute else _MODULES | _MODULES_WITHOUT_ATTRIBUTES):
            return None
        try:
            value = importlib.import_module(module)
            return value if attribute is None else getattr(value, str(attribute))
        except (ImportError, AttributeError):
            return None

    def ask(self, request: dict[str, Any], from_class: bool = False) -> Any:
        return self.take(self._ask(request), from_class)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            self._connection.send(request)
            answer = self._connection.receive()
        except (EOFError, OSError, ValueError, RecursionError):
            raise _ProgramEnded from None
        if not isinstance(answer, dict):
            raise _ProgramEnded
        self._update_variables(answer.get("variables", {}))
        if "error" in answer:
            error = _exception_of(answer["error"], self._exceptions)
            if isinstance(error, (StopIteration, StopAsyncIteration)) and request["do"] != "next":
                error = RuntimeError("the program raised StopIteration")  # or a loop over calls would end early
            self.errors[id(error)] = error, answer["error"]
            raise error
        return answer

    def take(self, answer: dict[str, Any], from_class: bool = False) -> Any:
        if isinstance(answer.get("exception"), str):
            name = answer["exception"]
            return self._exceptions.setdefault(name, type(name, (Exception,), {}))
        if "object" in answer:
            number, is_class, is_iterator = (answer.get(key) for key in ("object", "is_class", "is_iterator"))
            return _RemoteObject(self, int(number or 0), is_class is True, is_iterator is True, from_class)
        return decode(answer.get("value"), arrays=True)

    def give(self, value: Any) -> dict[str, Any]:
        if type(value) is _RemoteObject:
            return {"object": object.__getattribute__(value, "_number")}
        data = encode(value)
        if is_plain(data):
            return {"value": data}
        if _holds_answer(value):
            raise TypeError("the program returned an object that is no plain data")
        raise _CannotLeave

    def call(self, target: _RemoteObject, arguments: tuple[Any, ...], keywords: dict[str, Any], is_class: bool) -> Any:
        request = {
            "do": "call",
            "target": self.give(target),
            "arguments": [self.give(argument) for argument in arguments],
            "keywords": {name: self.give(argument) for name, argument in keywords.items()},
        }
        number = object.__getattribute__(target, "_number")
        if len(arguments) + len(keywords) > 1 and any(map(self._is_answer_of_another(number), arguments)):
            self.decided_something = True  # a function of the program that gets an answer, and what to compare it with
        answer = self._ask(request)
        given: dict[str, Any] = {**{str(i): argument for i, argument in enumerate(arguments)}, **keywords}
        for place, data in answer.get("changed", {}).items():
            if type(given[place]) is not _RemoteObject:
                _replace_content(given[place], decode(data, arrays=True))
        result = self.take(answer, from_class=is_class)
        self._answers.append((number, result))
        return result

    def _is_answer_of_another(self, number: int) -> Callable[[Any], bool]:
        others = [answer for function, answer in self._answers if function != number]

        def is_one(value: Any) -> bool:
            return any(value is other or (type(value) is type(other) and value == other) for other in others)

        return is_one


class _RemoteObject:
    """
    Stands for an object of the program that cannot leave its process.

    Args:
        program (`_RemoteProgram`): Where it is.
        number (`int`): Which one it is.
        is_class (`bool`): Whether it is a class.
        is_iterator (`bool`): Whether it gives one item after the other.
        from_class (`bool`): Whether the test named it, or made it by calling a class: its methods get inputs, not answers.
    """

    def __init__(self, program: _RemoteProgram, number: int, is_class: bool, is_iterator: bool, from_class: bool):
        for name, value in (
            ("_program", program),
            ("_number", number),
            ("_is_class", is_class),
            ("_is_iterator", is_iterator),
            ("_from_class", from_class),
        ):
            object.__setattr__(self, name, value)

    def _ask(self, do: str, **fields: Any) -> Any:
        return self._program.ask({"do": do, "target": {"object": self._number}, **fields}, self._from_class)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        if not self._from_class:
            self._program.decided_something = True
        return self._program.call(self, arguments, keywords, self._is_class)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in _PLAIN_ATTRIBUTES:
            raise AttributeError(name)  # protocols of libraries, some of which take addresses of memory
        return self._ask("get", name=name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """`isinstance` asks for it: what the program's class is derived from is known only there."""
        if object.__getattribute__(self, "_from_class"):
            raise _CannotLeave
        return _RemoteObject

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("set", name=name, value=self._program.give(value))

    def __getitem__(self, key: Any) -> Any:
        return self._ask("item", key=self._program.give(key))

    def __eq__(self, other: object) -> bool:
        if type(other) is _RemoteObject:
            self._program.decided_something = True
            return bool(self._ask("equal", other=self._program.give(other)))
        if not is_plain(encode(other)):
            raise _CannotLeave
        # Compared here: asking the program would tell it what is expected.
        return bool(self._ask("plain") == other)

    def __hash__(self) -> int:
        if self._from_class:
            raise _CannotLeave  # two objects that are equal inside must be one key
        return object.__hash__(self)

    def __contains__(self, item: Any) -> bool:
        if self._from_class:
            raise _CannotLeave
        return any(item == own for own in self)

    def _only_inside(self, *others: Any) -> Any:
        """What only the program's classes can do. For what a function returned, it is a wrong answer to be no plain data."""
        if self._from_class or any(type(other) is _RemoteObject and other._from_class for other in others):
            raise _CannotLeave
        raise TypeError("the program returned an object that is no plain data")

    def __iter__(self) -> Iterator[Any]:
        return iter(self._ask("iter")) if not self._is_iterator else self

    def __len__(self) -> int:
        return int(self._ask("len"))

    def __bool__(self) -> bool:
        return bool(self._ask("bool"))

    def __str__(self) -> str:
        return str(self._ask("str"))

    def __repr__(self) -> str:
        return str(self._ask("repr"))

    def __int__(self) -> int:
        return int(self._ask("int"))

    def __float__(self) -> float:
        return float(self._ask("float"))

    def __abs__(self) -> Any:
        return self._ask("abs")

    def __next__(self) -> Any:
        return self._ask("next")


_OPERATORS = "add sub mul matmul truediv floordiv mod pow lshift rshift and or xor".split()
for _name in (
    *_OPERATORS,
    *(f"r{operator}" for operator in _OPERATORS),
    *"lt le gt ge neg pos invert setitem delitem enter exit instancecheck subclasscheck await aiter anext".split(),
):
    setattr(_RemoteObject, f"__{_name}__", _RemoteObject._only_inside)


def _exception_of(description: Any, own: dict[str, type[Exception]]) -> BaseException:
    """The exception that the program raised, as far as the test can catch it."""
    name = description.get("type") if isinstance(description, dict) else None
    message = description.get("message", "") if isinstance(description, dict) else ""
    kind: Any = own.get(str(name)) or getattr(builtins, str(name), None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            return kind(message)
        except TypeError:
            pass
    return type(str(name), (Exception,), {})(message)


def _holds_answer(value: Any) -> bool:
    """Whether what cannot leave the test came from the program, which must not choose how it is judged."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(map(_holds_answer, value))
    if isinstance(value, dict):
        return any(map(_holds_answer, [*value.keys(), *value.values()]))
    return isinstance(value, Opaque) or (type(value) is _RemoteObject and not value._from_class)


def _replace_content(old: Any, new: Any) -> None:
    """Change a value in place as the program has changed its own copy, and what it contains likewise."""
    if isinstance(old, (list, collections.deque)) and type(old) is type(new):
        items = [_replaced(*pair) for pair in zip(old, new, strict=False)]
        added = list(new)[len(items) :]
        old.clear()
        old.extend([*items, *added])
    elif isinstance(old, dict) and isinstance(new, dict):
        content = {key: _replaced(old[key], item) if key in old else item for key, item in new.items()}
        old.clear()
        old.update(content)
    elif isinstance(old, bytearray) and isinstance(new, bytearray):
        old[:] = new
    elif isinstance(old, set) and isinstance(new, set):
        old.clear()
        old.update(new)


def _replaced(old: Any, new: Any) -> Any:
    if type(old) is not type(new):
        return new
    if isinstance(old, tuple) and len(old) == len(new):
        items = tuple(map(_replaced, old, new))
        return old if all(item is own for item, own in zip(items, old, strict=True)) else items
    if isinstance(old, _CONTAINERS):
        _replace_content(old, new)
        return old
    return new
