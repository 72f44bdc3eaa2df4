"""
Encode values as plain data.

The process of a program sends plain data, so that its values are compared in a process that the program cannot reach.
"""

from __future__ import annotations

import importlib
import itertools
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import Any

from .decoding import FACTORIES, Opaque, decode
from .long_integers import dump_json, load_json


__all__ = ["Opaque", "decode", "dump_json", "encode", "is_plain", "load_json"]

# Containers at a greater depth are written as a flat list, since JSON is read and written recursively.
_MAX_NESTING = 20
_MAX_ITERATOR_BYTES = 2**26  # of the items of one iterator, which may be endless
_MAX_DECIMAL_INT_BITS = 4096  # the interpreter limits longer conversions between int and decimal text
_DIRECT = frozenset([str, int, float, bool, type(None)])
_ITERATOR_MODULES = frozenset(["builtins", "itertools", "collections", "_collections"])
_MODULES = frozenset(["decimal", "fractions", "datetime"])
_VIEWS = {
    type(getattr(mapping, name)()): name
    for mapping in (dict[Any, Any](), OrderedDict[Any, Any]())
    for name in ("keys", "values", "items")
}


class _NotPlain(Exception):
    """A value contains itself, or an iterator is too long."""


def encode(value: Any, read_iterators: bool = True) -> Any:
    """
    Encode a value as JSON-compatible data.

    Subclasses are read through their built-in base class, so that an overridden `__eq__`, `__iter__` or `__len__` has no
    effect.

    Args:
        value (`Any`): Any value that a program returned.
        read_iterators (`bool`, *optional*, defaults to `True`): Read iterators of Python to their end. If `False`, they are
            opaque and are not consumed.

    Returns:
        `Any`: JSON-compatible data for [`decode`], nested at most 100 deep. A value that is not plain data becomes an opaque
        marker.
    """
    try:
        return _encode(value, _MAX_NESTING, read_iterators)
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
    """
    Encode a deep value as the flat list of its parts.

    `[tag, count]` stands for a container of the last `count` values.
    """
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
    """
    Open a value by one level.

    Returns:
        `tuple`: The data of a value without parts and `None`, or the tag of a container and its parts.
    """
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
        return ("iterator", _read_all(value)) if read_iterators else ({"opaque": kind.__name__}, None)
    return _open_other(value, kind)


def _open_dict(value: Any, kind: type) -> tuple[str, Iterable[Any]]:
    if issubclass(kind, OrderedDict):
        return "OrderedDict", itertools.chain.from_iterable(OrderedDict.items(value))
    pairs = itertools.chain.from_iterable(dict.items(value))
    if issubclass(kind, defaultdict):
        name = next((name for name, known in FACTORIES.items() if known is value.default_factory), None)
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
        if type(content) is not kind:  # not so for numbers longer than those of Python
            return _open(content, False)
    return {"opaque": str(name)}, None


def _read_all(iterator: Iterator[Any]) -> list[Any]:
    items, size = [], 0
    for item in iterator:
        items.append(item)
        size += 8 + sys.getsizeof(item)
        if size > _MAX_ITERATOR_BYTES:
            raise _NotPlain
    return items


def _module(name: str) -> Any:
    # Imported only when needed: each process of a program pays for the modules that its worker has imported.
    return importlib.import_module(name)


def is_plain(data: Any) -> bool:
    """Whether encoded data stand for the whole value, that is, hold no opaque marker."""
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
