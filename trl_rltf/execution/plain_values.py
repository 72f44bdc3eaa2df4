"""Carry values between processes as plain data, so that they are compared where the program cannot reach."""

from __future__ import annotations

import importlib
import itertools
import re
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .long_integers import dump_json, load_json


__all__ = ["Opaque", "decode", "dump_json", "encode", "is_plain", "load_json"]

# Containers nested deeper than this are written as a flat list: parsers of JSON, in both directions, recurse.
_MOST_NESTED = 20
# The hash of a tuple recurses in C, and so does the end of a `deque`: deeper ones could overflow the stack of the caller.
_MOST_NESTED_HASHED = 200
_MOST_COLLISIONS = 100
_MOST_TAKEN = 2**26  # bytes of the items of one iterator, which may have no end
_MOST_RANGE = 10_000_000  # items: a look for a float in a range takes each of them
_MAX_DECIMAL_INT_BITS = 4096  # the interpreter limits longer conversions between int and decimal text
_MAX_FRACTION_BITS = 2**14  # the greatest common divisor of longer numbers takes long
_DIRECT = frozenset([str, int, float, bool, type(None)])
_ITERATOR_MODULES = frozenset(["builtins", "itertools", "collections", "_collections"])
_MODULES = frozenset(["decimal", "fractions", "datetime"])
_DTYPE = re.compile(r"bool|u?int\d{1,2}|float\d{2}|complex\d{2,3}|<U\d{1,6}")
# An exponent of more digits could take hours to compare.
_DECIMAL = re.compile(r"NaN|-?Infinity|-?\d{1,100000}+(\.\d{1,100000}+)?(E[+-]?\d{1,4})?", re.ASCII)
# Of a `defaultdict`.
_FACTORIES: dict[str | None, Any] = {
    None: None,
    **{kind.__name__: kind for kind in (int, float, str, bool, list, tuple, dict, set)},
}
_VIEWS = {
    type(getattr(mapping, name)()): name
    for mapping in (dict[Any, Any](), OrderedDict[Any, Any]())
    for name in ("keys", "values", "items")
}


class Opaque:
    """
    Stands for a value that is not plain data. It is true, and equal to nothing but itself.

    Args:
        type_name (`str`): Name of the value's class.
    """

    __slots__ = ("type_name",)

    def __init__(self, type_name: str):
        self.type_name = type_name

    def __repr__(self) -> str:
        return f"<{self.type_name} object>"


class _NotPlain(Exception):
    """A value that contains itself, or an iterator without an end."""


def encode(value: Any, read_iterators: bool = True) -> Any:
    """
    Encode a value as JSON-compatible data.

    Subclasses are read through their built-in base class, so that an overridden `__eq__`, `__iter__` or `__len__` has no
    effect.

    Args:
        value (`Any`): Anything a program returned.
        read_iterators (`bool`, *optional*, defaults to `True`): Read iterators of Python to their end. If `False`, they are
            opaque and stay as they are.

    Returns:
        `Any`: JSON-compatible data for [`decode`], nested at most 100 deep; what is not plain data becomes an opaque marker.
    """
    try:
        return _encode(value, _MOST_NESTED, read_iterators)
    except _NotPlain:
        return {"opaque": "endless or cyclic"}


def _encode(value: Any, levels: int, read_iterators: bool) -> Any:
    data, items = _open(value, read_iterators)
    if items is None:
        return data
    if levels == 0:
        return _flatten(value, data, items, read_iterators)
    encoded = [
        item
        if (kind := type(item)) in _DIRECT and (kind is not int or -sys.maxsize < item < sys.maxsize)
        else _encode(item, levels - 1, read_iterators)
        for item in items
    ]
    return encoded if data == "list" else {data: encoded}


def _flatten(value: Any, tag: str, items: Iterable[Any], read_iterators: bool) -> Any:
    """Encode a deep value as the list of its parts, where `[tag, count]` stands for a container of the last `count`."""
    nodes: list[Any] = []
    pending: list[list[Any]] = [[value, tag, iter(items), 0]]
    containers = {id(value)}
    while pending:
        top = pending[-1]
        for item in top[2]:
            top[3] += 1
            data, parts = _open(item, read_iterators)
            if parts is None:
                nodes.append(data)
                continue
            if id(item) in containers:
                raise _NotPlain
            containers.add(id(item))
            pending.append([item, data, iter(parts), 0])
            break
        else:
            container, tag, _, count = pending.pop()
            containers.discard(id(container))
            nodes.append([tag, count])
    return {"flat": nodes}


def _open(value: Any, read_iterators: bool) -> tuple[Any, Iterable[Any] | None]:
    """The data of a value without parts, and `None`; or the tag of a container, and its parts."""
    kind = type(value)
    if issubclass(kind, int):
        if kind is bool:
            return value, None
        number = int.__add__(value, 0)
        return (number if number.bit_length() < _MAX_DECIMAL_INT_BITS else {"int": format(number, "x")}), None
    if kind in _DIRECT:
        return value, None
    if issubclass(kind, list):
        return "list", list.__iter__(value)
    if issubclass(kind, tuple):
        return "tuple", tuple.__iter__(value)
    if issubclass(kind, dict):
        return _open_dict(value, kind)
    if issubclass(kind, str):
        return str.__getitem__(value, slice(None)), None
    if issubclass(kind, float):
        return float.__pos__(value), None
    if issubclass(kind, frozenset):
        return "frozenset", frozenset.__iter__(value)
    if issubclass(kind, set):
        return "set", set.__iter__(value)
    if issubclass(kind, complex):
        parts = complex.__add__(value, 0)
        return "complex", [parts.real, parts.imag]
    if issubclass(kind, (bytes, bytearray)):
        return {"bytes" if issubclass(kind, bytes) else "bytearray": bytes(memoryview(value)).hex()}, None
    if issubclass(kind, deque):
        return "deque", [value.maxlen, *deque.__iter__(value)]
    if kind is range:
        return "range", [value.start, value.stop, value.step]
    if kind in _VIEWS:
        return _VIEWS[kind], value
    if kind.__module__ in _ITERATOR_MODULES and issubclass(kind, Iterator):
        return ("iterator", _take_all(value)) if read_iterators else ({"opaque": kind.__name__}, None)
    return _open_other(value, kind)


def _open_dict(value: Any, kind: type) -> tuple[str, Iterable[Any]]:
    if issubclass(kind, OrderedDict):
        return "OrderedDict", itertools.chain.from_iterable(OrderedDict.items(value))
    pairs = itertools.chain.from_iterable(dict.items(value))
    if issubclass(kind, defaultdict):
        name = next((name for name, known in _FACTORIES.items() if known is value.default_factory), None)
        return "defaultdict", itertools.chain([name], pairs)
    return "Counter" if issubclass(kind, Counter) else "dict", pairs


def _open_other(value: Any, kind: type) -> tuple[Any, Iterable[Any] | None]:
    name, module = kind.__name__, kind.__module__
    if module in _MODULES and kind is getattr(_module(module), name, None):
        if name == "Decimal":
            return {name: str(value)}, None
        if name == "Fraction":
            return name, [value.numerator, value.denominator]
        if name == "timedelta":
            return name, [value.days, value.seconds, value.microseconds]
        if name in ("date", "time", "datetime") and getattr(value, "tzinfo", None) is None:
            return {name: value.isoformat()}, None
    if module == "numpy" and hasattr(value, "tolist"):
        content = value.tolist()
        if name == "ndarray":
            return name, [str(value.dtype), content]
        if type(content) is not kind:  # as for numbers longer than those of Python
            return _open(content, False)
    return {"opaque": str(name)}, None


def _take_all(iterator: Iterator[Any]) -> list[Any]:
    items, size = [], 0
    for item in iterator:
        items.append(item)
        size += 8 + sys.getsizeof(item)
        if size > _MOST_TAKEN:
            raise _NotPlain
    return items


def _module(name: str) -> Any:
    # Imported when a value of theirs is there: each process of a program pays for what its worker has imported.
    return importlib.import_module(name)


def decode(data: Any, arrays: bool = False) -> Any:
    """
    Decode what [`encode`] made. The data come from an untrusted process: anything malformed is opaque, never an error.

    Args:
        data (`Any`): JSON-compatible data.
        arrays (`bool`, *optional*, defaults to `False`): Make arrays of NumPy again, rather than lists.

    Returns:
        `Any`: Values of built-in types, of `collections`, `Decimal`, `Fraction`, dates and times, or [`Opaque`]. What was an
        iterator is an iterator over a list.
    """
    values: list[Any] = []
    depths: list[int] = []
    try:
        for tag, content in _parts_first(data):
            if tag is None:
                values.append(content)
                depths.append(0)
                continue
            if type(content) is not int or not 0 <= content <= len(values):
                return Opaque("malformed")
            start = len(values) - content
            items, inner = values[start:], depths[start:]
            del values[start:], depths[start:]
            hashed = inner[::2] if tag in ("dict", "OrderedDict", "Counter") else inner
            is_safe = tag in ("list", "tuple") or max(hashed, default=0) < _MOST_NESTED_HASHED
            values.append(_build(tag, items, arrays) if is_safe else Opaque(tag))
            depths.append(1 + max(inner, default=0))
        (value,) = values
    except Exception:  # nothing that a hostile process sent is an error
        return Opaque("malformed")
    return value


def _parts_first(data: Any) -> Iterator[tuple[Any, Any]]:
    """Yield `None` and each value without parts, and the tag and number of parts of each container, after its parts."""
    pending: list[tuple[Any, int, Iterator[Any]]] = [(None, 0, iter((data,)))]
    while pending:
        tag, count, items = pending[-1]
        for item in items:
            inner, content = _tag_of(item)
            if inner is None:
                yield None, content
            elif inner == "flat":
                for node in content:
                    yield (str(node[0]), node[1]) if type(node) is list else _tag_of(node)
            elif inner == "list" and _DIRECT.issuperset(map(type, content)):
                yield None, content.copy()
            else:
                pending.append((inner, len(content), iter(content)))
                break
        else:
            pending.pop()
            if tag is not None:
                yield tag, count


def _tag_of(data: Any) -> tuple[Any, Any]:
    kind = type(data)
    if kind is list:
        return "list", data
    if kind is not dict:
        return None, data
    ((tag, content),) = data.items()
    return (tag, content) if type(content) is list else (None, _read(tag, content))


def _read(tag: str, text: str) -> Any:
    if tag == "int":
        return int(text, 16)
    if tag in ("bytes", "bytearray"):
        raw = bytes.fromhex(text)
        return raw if tag == "bytes" else bytearray(raw)
    if tag == "Decimal" and _DECIMAL.fullmatch(text):
        return _module("decimal").Decimal(text)
    if tag in ("date", "time", "datetime"):
        return getattr(_module("datetime"), tag).fromisoformat(text)
    return Opaque(str(text)[:100])


def _build(tag: str, items: list[Any], arrays: bool) -> Any:
    if tag in _CONTAINERS:
        return _CONTAINERS[tag](items)
    if tag == "ndarray":
        dtype, content = items
        return _module("numpy").array(content, dtype=dtype) if arrays and _DTYPE.fullmatch(dtype) else content
    if tag == "timedelta":
        return _module("datetime").timedelta(*items)
    numerator, denominator = items
    if tag == "Fraction" and max(abs(numerator), abs(denominator)).bit_length() <= _MAX_FRACTION_BITS:
        return _module("fractions").Fraction(numerator, denominator)
    return Opaque(tag)


def _hashable(items: list[Any]) -> list[Any]:
    """Refuse items that were chosen to have the same hash: putting them into a table would take hours."""
    if len(items) > _MOST_COLLISIONS and max(Counter(map(hash, items)).values()) > _MOST_COLLISIONS:
        raise ValueError("too many collisions")
    return items


def _pairs(items: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(_hashable(items[::2]), items[1::2], strict=True)


def _range(items: list[Any]) -> Any:
    numbers = range(*items)
    return numbers if abs(numbers.stop - numbers.start) // abs(numbers.step) <= _MOST_RANGE else Opaque("range")


_CONTAINERS: dict[str, Callable[[list[Any]], Any]] = {
    "list": list,
    "tuple": tuple,
    "dict": lambda items: dict(_pairs(items)),
    "OrderedDict": lambda items: OrderedDict(_pairs(items)),
    "Counter": lambda items: Counter(dict(_pairs(items))),
    "defaultdict": lambda items: defaultdict(_FACTORIES[items[0]], _pairs(items[1:])),
    "set": lambda items: set(_hashable(items)),
    "frozenset": lambda items: frozenset(_hashable(items)),
    "deque": lambda items: deque(items[1:], items[0]),
    "range": _range,
    "complex": lambda items: complex(*items),
    "keys": lambda items: dict.fromkeys(_hashable(items)).keys(),
    "values": lambda items: dict(enumerate(items)).values(),
    "items": lambda items: dict(_pairs(list(itertools.chain.from_iterable(items)))).items(),
    "iterator": iter,
}


def is_plain(data: Any) -> bool:
    """Whether encoded data hold no opaque marker, so that they stand for the whole value."""
    pending = [data]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if "opaque" in item:
                return False
            pending += item.values()
        elif isinstance(item, list):
            pending += item
    return True
