"""Carry values out of the process of a program as plain data, so that they are compared where the program cannot reach."""

from __future__ import annotations

import collections
import contextlib
import importlib
import re
import sys
from collections.abc import Iterator
from typing import Any


MAX_DEPTH = 60
MAX_NODES = 500_000
_MODULES = frozenset(["decimal", "fractions", "datetime"])
_MAX_DECIMAL_INT_BITS = 4096  # the interpreter limits longer conversions between int and decimal text
_MOST_COLLISIONS = 100
_DTYPE = re.compile(r"bool|u?int\d{1,2}|float\d{2}|complex\d{2,3}|<U\d{1,6}")
_DECIMAL = re.compile(
    r"NaN|-?Infinity|-?\d{1,1000}(\.\d{1,1000})?(E[+-]?\d{1,4})?", re.ASCII
)  # longer ones could take hours to compare


class Opaque:
    """
    Stands for a value that is no plain data. It is true, and equal to nothing but itself.

    Args:
        type_name (`str`): Name of the value's class.
    """

    __slots__ = ("type_name",)

    def __init__(self, type_name: str):
        self.type_name = type_name

    def __repr__(self) -> str:
        return f"<{self.type_name} object>"


class _TooLarge(Exception):
    pass


def load_json(text: str | bytes) -> Any:
    """Stub until merged."""
    import json

    with any_number_of_digits():
        return json.loads(text)


@contextlib.contextmanager
def any_number_of_digits() -> Iterator[None]:
    """
    Read and write integers of more than 4,300 digits, in trusted text. The limit of the interpreter holds for all threads,
    so that another one may go without it for a moment.
    """
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(before)


def encode(value: Any) -> Any:
    """
    Encode a value as JSON-compatible data. Subclasses are read through their built-in base class, so that an overridden
    `__eq__`, `__iter__` or `__len__` has no say.

    Args:
        value (`Any`): Anything a program returned.

    Returns:
        `Any`: JSON-compatible data for [`decode`]; whatever is not plain data becomes an opaque marker.
    """
    budget = [MAX_NODES]
    try:
        return _encode(value, MAX_DEPTH, budget)
    except (_TooLarge, RecursionError, MemoryError):
        return {"opaque": "too large or too deeply nested"}


def _encode(value: Any, depth: int, budget: list[int]) -> Any:
    budget[0] -= 1
    if depth < 0 or budget[0] < 0:
        raise _TooLarge
    kind = type(value)
    if value is None or kind is bool:
        return value
    if issubclass(kind, int):
        number = int.__add__(value, 0)
        return number if number.bit_length() < _MAX_DECIMAL_INT_BITS else {"int": format(number, "x")}
    if issubclass(kind, float):
        return {"float": float.__repr__(value)}
    if issubclass(kind, str):
        return str.__getitem__(value, slice(None)) if kind is not str else value
    if issubclass(kind, list):
        return [_encode(item, depth - 1, budget) for item in list.__iter__(value)]
    if issubclass(kind, tuple):
        return {"tuple": [_encode(item, depth - 1, budget) for item in tuple.__iter__(value)]}
    if issubclass(kind, dict):
        items = dict.items(value)
        return {"dict": [[_encode(key, depth - 1, budget), _encode(item, depth - 1, budget)] for key, item in items]}
    if issubclass(kind, frozenset):
        return {"frozenset": [_encode(item, depth - 1, budget) for item in frozenset.__iter__(value)]}
    if issubclass(kind, set):
        return {"set": [_encode(item, depth - 1, budget) for item in set.__iter__(value)]}
    if issubclass(kind, complex):
        parts = complex.__add__(value, 0)
        return {"complex": [float.__repr__(parts.real), float.__repr__(parts.imag)]}
    if issubclass(kind, (bytes, bytearray)):
        return {"bytes" if issubclass(kind, bytes) else "bytearray": bytes(memoryview(value)).hex()}
    if kind.__module__ in _MODULES and kind is getattr(_module(kind.__module__), kind.__name__, None):
        return _encode_library_value(value, kind.__name__, budget)
    if kind in (type({}.keys()), type({}.items())):
        return {"set": [_encode(item, depth - 1, budget) for item in value]}
    if kind is collections.deque:
        return {"deque": [_encode(item, depth - 1, budget) for item in value]}
    if kind is range:
        return {"range": [value.start, value.stop, value.step]}
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
        return {"ndarray": [str(value.dtype), _encode(value.tolist(), depth - 1, budget)]}
    if kind.__module__ == "numpy" and hasattr(value, "tolist"):
        return _encode(value.tolist(), depth - 1, budget)
    return {"opaque": str(kind.__name__)}


def _encode_library_value(value: Any, name: str, budget: list[int]) -> Any:
    if name == "Decimal":
        return {name: str(value)}
    if name == "Fraction":
        return {name: [_encode(value.numerator, 0, budget), _encode(value.denominator, 0, budget)]}
    if name == "timedelta":
        return {name: [value.days, value.seconds, value.microseconds]}
    if name in ("date", "time", "datetime") and getattr(value, "tzinfo", None) is None:
        return {name: value.isoformat()}
    return {"opaque": name}


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
        `Any`: Values of built-in types, `Decimal`, `Fraction`, `deque`, dates and times, or [`Opaque`].
    """
    try:
        return _decode(data, MAX_DEPTH, arrays)
    except (_TooLarge, RecursionError, ValueError, TypeError, AttributeError, ArithmeticError, IndexError):
        return Opaque("malformed")


def _decode(data: Any, depth: int, arrays: bool) -> Any:
    if depth < 0:
        raise _TooLarge
    if isinstance(data, list):
        return [_decode(item, depth - 1, arrays) for item in data]
    if not isinstance(data, dict):
        return data
    ((tag, content),) = data.items()
    if tag == "int":
        return int(content, 16)
    if tag == "float":
        return float(content)
    if tag == "complex":
        return complex(float(content[0]), float(content[1]))
    if tag in ("bytes", "bytearray"):
        raw = bytes.fromhex(content)
        return raw if tag == "bytes" else bytearray(raw)
    if tag == "Decimal" and _DECIMAL.fullmatch(content):
        return _module("decimal").Decimal(content)
    if tag == "Fraction":
        parts = [_decode(part, 1, arrays) for part in content]
        if all(type(part) is int and part.bit_length() < _MAX_DECIMAL_INT_BITS for part in parts):
            return _module("fractions").Fraction(*parts)
    if tag == "dict":
        keys = [_decode(key, depth - 1, arrays) for key, _ in content]
        if _collide(keys):
            return Opaque(tag)
        return {key: _decode(item, depth - 1, arrays) for key, (_, item) in zip(keys, content, strict=True)}
    if tag in ("tuple", "set", "frozenset"):
        items = [_decode(item, depth - 1, arrays) for item in content]
        if tag != "tuple" and _collide(items):
            return Opaque(tag)
        return {"tuple": tuple, "set": set, "frozenset": frozenset}[tag](items)
    if tag == "deque":
        return collections.deque(_decode(item, depth - 1, arrays) for item in content)
    if tag == "range":
        numbers = range(*content)
        return numbers if len(numbers) <= MAX_NODES else Opaque(tag)  # a look for a float in it takes each of them
    if tag == "ndarray" and _DTYPE.fullmatch(content[0]):
        items = _decode(content[1], depth - 1, arrays)
        return _module("numpy").array(items, dtype=content[0]) if arrays else items
    if tag in ("date", "time", "datetime"):
        return getattr(_module("datetime"), tag).fromisoformat(content)
    if tag == "timedelta":
        return _module("datetime").timedelta(*content)
    return Opaque(str(content))


def _collide(keys: list[Any]) -> bool:
    """Whether these were chosen to have the same hash: to put them into a table would take hours."""
    return len(keys) > _MOST_COLLISIONS and max(collections.Counter(map(hash, keys)).values()) > _MOST_COLLISIONS


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
