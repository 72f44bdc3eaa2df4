"""What stands in a test for the names and objects of a program that runs elsewhere."""

from __future__ import annotations

import _thread
import builtins
import collections
import importlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from .plain_values import Opaque, decode, encode, is_plain
from .remote import Connection, is_small


# Modules that a name of the program may stand for here. In none of them can a value that the program returned become code.
_MODULES = frozenset(
    "bisect cmath collections copy datetime decimal fractions functools heapq itertools json math numbers operator "
    "random re statistics string time".split()
)
# The test may use these, but the program picks nothing there.
_MODULES_WITHOUT_ATTRIBUTES = frozenset(["numpy", "sys", "typing"])
_ALIASES = {"np": "numpy"}
_PLAIN_ATTRIBUTES = frozenset(["__name__", "__qualname__", "__doc__"])
_MOST_LENT = 32
_CONTAINERS = (list, dict, set, bytearray, collections.deque)


class _Stop(BaseException):
    """Ends a test, even if the test catches it."""

    was_raised = False

    def __init__(self) -> None:
        type(self).was_raised = True


class CannotLeave(_Stop):
    """The test hands the program something that is no plain data, such as a function."""


class ProgramEnded(_Stop):
    """The program is gone, or talks nonsense."""


class RemoteProgram:
    """
    The program, as the tests see it.

    Args:
        connection ([`~remote.Connection`]): To its process.
        namespace (`dict`): Variables of the tests.

    Attributes:
        errors (`dict`): What the program's process said of each exception, by identity.
        decided_something (`bool`): Whether the program itself had a say in a verdict.
    """

    def __init__(self, connection: Connection, namespace: dict[str, Any]):
        self.namespace = namespace
        # Exceptions are kept alive with their descriptions, so that no other gets their identity.
        self.errors: dict[int, tuple[BaseException, dict[str, Any]]] = {}
        self.decided_something = False  # whether the program's own `__eq__`, or the like, had a say
        self._connection = connection
        self._lock = _thread.allocate_lock()  # tests may start threads
        self._variables: dict[str, Any] = {}  # of the program, as the test was given them
        self._always_watched: list[str] = []
        self._lent: collections.deque[tuple[Any, Any]] = collections.deque(maxlen=_MOST_LENT)
        self._answers: dict[int, set[str]] = {}  # of each function
        self._exceptions: dict[str, type[BaseException]] = {}  # of the program, as the test may catch them

    def look_up(self, names: list[str]) -> None:
        """Give the test what each name stands for; names that it does not ask for are not the program's to give."""
        answers = self._ask({"do": "look up", "names": names})["names"] if names else {}
        for name in names:
            answer = answers[name]
            attribute = answer.get("attribute")
            # Under its own name only: a function of a library that the program calls `close` is the program's choice.
            is_plain_import = "module" in answer and attribute in (None, name)
            value = self._import(str(answer["module"]), attribute) if is_plain_import else None
            known = _ALIASES.get(name, name) in _MODULES | _MODULES_WITHOUT_ATTRIBUTES
            if value is None and known and answer.get("is_class") is True:
                value = self._import(_ALIASES.get(name, name), None)  # no class of a program is called `math`
            if value is not None:
                self.namespace[name] = value
            elif "missing" not in answer:
                # A function of a library, which may be asked to compare, is no function of the program.
                if answer.get("is_class") is True and not name[:1].isupper():
                    answer = {**answer, "is_class": False}  # what it makes is an answer, as of any function
                self.namespace[name] = self.take(answer, from_class="module" not in answer and not known)
                if "value" in answer:
                    self._variables[name] = self.namespace[name]
                    self._lend(self.namespace[name])

    def watch(self, names: list[str], always: bool) -> None:
        """Keep up with variables of the program that the test reads."""
        if always:
            self._always_watched = names
        watched = [name for name in self._variables if name in names or name in self._always_watched]
        if watched:
            self._ask({"do": "watch", "names": watched})

    def _lend(self, value: Any) -> None:
        if type(value) in _CONTAINERS and is_small(data := encode(value)):
            self._lent.append((value, data))

    def _update_variables(self, changed: dict[str, Any]) -> None:
        """A call has changed variables of the program which the test reads too."""
        for name in self._variables.keys() & changed.keys():
            old, new = self._variables[name], decode(changed[name], arrays=True)
            if type(old) is type(new) and isinstance(old, _CONTAINERS):
                _replace_content(old, new)
                self._lend(old)
            elif self.namespace.get(name) is old:  # and not what the test itself has put there
                self.namespace[name] = self._variables[name] = new

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
        lent = {id(value): (value, data) for value, data in self._lent}  # the last state of each
        if any(encode(value) != data for value, data in lent.values()):
            raise CannotLeave  # the test has changed a copy of what the program still holds
        try:
            with self._lock:
                self._connection.send(request)
                answer = self._connection.receive()
        except (EOFError, OSError, ValueError, RecursionError):
            raise ProgramEnded from None
        if not isinstance(answer, dict):
            raise ProgramEnded
        self._update_variables(answer.get("variables", {}))
        if "error" in answer:
            error = _exception_of(answer["error"], self._exceptions)
            if isinstance(error, (StopIteration, StopAsyncIteration)) and request["do"] != "next":
                error = RuntimeError("the program raised StopIteration")  # or a loop over calls would end early
            self.errors[id(error)] = error, answer["error"]
            raise error
        return answer

    def take(self, answer: dict[str, Any], from_class: bool = False) -> Any:
        if "exception" in answer:
            return _exception_class(answer["exception"], self._exceptions)
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
        if type(value) in (list, tuple) and any(type(item) is _RemoteObject for item in value):
            return {"items": [self.give(item) for item in value], "is_tuple": type(value) is tuple}
        if _holds_answer(value):
            raise TypeError("the program returned an object that is no plain data")
        raise CannotLeave

    def call(self, target: _RemoteObject, arguments: tuple[Any, ...], keywords: dict[str, Any], is_class: bool) -> Any:
        request: dict[str, Any] = {
            "do": "call",
            "target": self.give(target),
            "arguments": [self.give(argument) for argument in arguments],
            "keywords": {name: self.give(argument) for name, argument in keywords.items()},
        }
        number = object.__getattribute__(target, "_number")
        given: dict[str, Any] = {**{str(i): argument for i, argument in enumerate(arguments)}, **keywords}
        sent = [*request["arguments"], *request["keywords"].values()]
        if len(given) > 1 and not self.decided_something:
            # Perhaps a function of the program that gets an answer, and what to compare it with.
            self.decided_something = any(map(self._is_answer_of_another(number), sent))
        answer = self._ask(request)
        for place, data in answer.get("changed", {}).items():
            if type(given[place]) is not _RemoteObject:
                _replace_content(given[place], decode(data, arrays=True))
        self._answers.setdefault(number, set()).add(_key(answer))
        return self.take(answer, from_class=is_class)

    def _is_answer_of_another(self, number: int) -> Callable[[dict[str, Any]], bool]:
        others = [answers for function, answers in self._answers.items() if function != number]

        def is_one(sent: dict[str, Any]) -> bool:
            value = sent.get("value")
            items = [{"value": item} for item in value] if isinstance(value, list) else sent.get("items", [])
            return any(_key(part) in answers for part in (sent, *items) for answers in others)

        return is_one


def _key(answer: dict[str, Any]) -> str:
    return json.dumps([answer.get("object"), answer.get("value")])


class _RemoteObject:
    """
    Stands for an object of the program that cannot leave its process.

    Args:
        program (`RemoteProgram`): Where it is.
        number (`int`): Which one it is.
        is_class (`bool`): Whether it is a class.
        is_iterator (`bool`): Whether it gives one item after the other.
        from_class (`bool`): Whether the test named it, or made it by calling a class: its methods get inputs, not answers.
    """

    def __init__(self, program: RemoteProgram, number: int, is_class: bool, is_iterator: bool, from_class: bool):
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
        value = self._ask("get", name=name)
        self._program._lend(value)
        return value

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """`isinstance` asks for it: what the program's class is derived from is known only there."""
        if object.__getattribute__(self, "_from_class"):
            raise CannotLeave
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
            raise CannotLeave
        # Compared here: asking the program would tell it what is expected.
        return bool(self._ask("plain") == other)

    def __hash__(self) -> int:
        if self._from_class:
            raise CannotLeave  # two objects that are equal inside must be one key
        return object.__hash__(self)

    def __contains__(self, item: Any) -> bool:
        if self._from_class:
            raise CannotLeave
        return any(item == own for own in self)

    def _only_inside(self, *others: Any) -> Any:
        """What only the program's classes can do. For what a function returned, it is a wrong answer to be no plain data."""
        if self._from_class or any(type(other) is _RemoteObject and other._from_class for other in others):
            raise CannotLeave
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


def _exception_of(description: Any, known: dict[str, type[BaseException]]) -> BaseException:
    """The exception that the program raised, as far as the test can catch it and look at it."""
    fields = description if isinstance(description, dict) else {}
    kind = _exception_class(fields.get("lineage") or [fields.get("type")], known)
    arguments, attributes = (decode(fields.get(name)) for name in ("args", "attributes"))
    if not isinstance(arguments, list):
        arguments = [fields.get("message", "")]
    try:
        error = kind.__new__(kind, *arguments)
        error.args = tuple(arguments)
        error.__dict__.update(attributes if isinstance(attributes, dict) else {})
    except TypeError:
        return type(kind.__name__, (Exception,), {})(*arguments)
    return error


def _exception_class(lineage: Any, known: dict[str, type[BaseException]]) -> type[BaseException]:
    """A class like one of the program's: with its name, and those of its bases up to the first that is built-in."""
    names = [str(name) for name in lineage] if isinstance(lineage, list) else [str(lineage)]
    base: Any = getattr(builtins, names[-1], None)
    if not (isinstance(base, type) and issubclass(base, (Exception, SystemExit))):
        base, names = Exception, [*names, "Exception"]
    kind: type[BaseException] = base
    for name in reversed(names[:-1]):
        bases = (kind,) if issubclass(kind, base) else (kind, base)
        kind = known.setdefault(name, type(name, bases, {}))
    return kind


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
