"""Decode plain data from an untrusted process, at a cost linear in its size."""

from __future__ import annotations

import importlib
import math
import re
import time
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any


# The hash of a tuple recurses in C, and so does freeing a `deque`: deeper values could overflow the stack of the caller.
_MAX_NESTING = 200
_MAX_COLLISIONS = 100
# A table of more keys is first filled in parts. This may take 0.02 s, plus 100 times the time of computing the hashes.
_FEW_KEYS, _FILL_SECONDS, _FILL_FACTOR = 2**12, 0.02, 100
_MAX_RANGE = 10_000_000  # items: a search for a float in a range compares each of them
_MAX_FRACTION_BITS = 2**14  # the greatest common divisor of longer numbers takes long
# A longer exponent could take hours to compare.
_DECIMAL = re.compile(r"NaN|-?Infinity|-?\d{1,100000}+(\.\d{1,100000}+)?(E[+-]?\d{1,4})?", re.ASCII)
_DTYPE = re.compile(r"bool|u?int\d{1,2}|float\d{2}|complex\d{2,3}|<U\d{1,6}")
_WITHOUT_PARTS = frozenset([str, int, float, bool, type(None)])
_PLAIN_DICTS = ("dict", "OrderedDict", "Counter")
# Default factories of a `defaultdict`.
FACTORIES: dict[str | None, Any] = {
    None: None,
    **{kind.__name__: kind for kind in (int, float, str, bool, list, tuple, dict, set)},
}


class Opaque:
    """
    Stand-in for a value that is not plain data. It equals only itself.

    Args:
        type_name (`str`): Name of the value's class.
    """

    __slots__ = ("type_name",)

    def __init__(self, type_name: str):
        self.type_name = type_name

    def __repr__(self) -> str:
        return f"<{self.type_name} object>"


def decode(data: Any, arrays: bool = False) -> Any:
    """
    Decode the output of [`~execution.wire.plain_values.encode`].

    The data come from an untrusted process: malformed data are opaque, never an error.

    Args:
        data (`Any`): JSON-compatible data.
        arrays (`bool`, *optional*, defaults to `False`): Restore arrays of NumPy, instead of lists.

    Returns:
        `Any`: Values of built-in types, of `collections`, `Decimal`, `Fraction`, dates and times, or [`Opaque`]. An iterator
        becomes an iterator over a list.
    """
    if type(data) in _WITHOUT_PARTS:
        return data
    values: list[Any] = []
    depths: list[int] = []
    collisions: list[float] = []  # per value: items with equal hashes, times the largest count of its items
    seen: set[str] = set()
    try:
        for tag, content in _parts_first(data, seen):
            if tag is None:
                values.append(content)
                depths.append(0)
                collisions.append(1)
                continue
            if type(content) is not int or not 0 <= content <= len(values):
                return Opaque("malformed")
            start = len(values) - content
            items, inner, within = values[start:], depths[start:], max(collisions[start:], default=1)
            del values[start:], depths[start:], collisions[start:]
            most = _count_collisions(tag, items, inner, seen) * within
            values.append(_build(tag, items, arrays) if most <= _MAX_COLLISIONS else Opaque(tag))
            depths.append(1 + max(inner, default=0))
            collisions.append(min(most, _MAX_COLLISIONS))
        (value,) = values
    except Exception:  # data from a hostile process must not raise
        return Opaque("malformed")
    return value


def _parts_first(data: Any, seen: set[str]) -> Iterator[tuple[Any, Any]]:
    """
    Walk over encoded data, parts first.

    Yields:
        `tuple`: `None` and a value without parts, or the tag of a container and the number of its parts.
    """
    pending: list[tuple[Any, int, Iterator[Any]]] = [(None, 0, iter((data,)))]
    while pending:
        tag, count, items = pending[-1]
        for item in items:
            inner, content = _tag_of(item, seen)
            if inner is None:
                yield None, content
            elif inner == "flat":
                for node in content:
                    yield (str(node[0]), node[1]) if type(node) is list else _tag_of(node, seen)
            elif inner == "list" and _WITHOUT_PARTS.issuperset(map(type, content)):
                yield None, content.copy()
            else:
                pending.append((inner, len(content), iter(content)))
                break
        else:
            pending.pop()
            if tag is not None:
                yield tag, count


def _tag_of(data: Any, seen: set[str]) -> tuple[Any, Any]:
    kind = type(data)
    if kind is list:
        return "list", data
    if kind is not dict:
        return None, data
    ((tag, content),) = data.items()
    if type(content) is list:
        return tag, content
    seen.add(tag)
    return None, _read(tag, content)


def _read(tag: str, text: str) -> Any:
    if tag == "int":
        return int(text, 16)
    if tag in ("bytes", "bytearray"):
        raw = bytes.fromhex(text)
        return raw if tag == "bytes" else bytearray(raw)
    if tag == "Decimal" and _DECIMAL.fullmatch(text):
        return importlib.import_module("decimal").Decimal(text)
    if tag in ("date", "time", "datetime"):
        return getattr(importlib.import_module("datetime"), tag).fromisoformat(text)
    return Opaque(str(text)[:100])


def _build(tag: str, items: list[Any], arrays: bool) -> Any:
    if tag in _CONTAINERS:
        return _CONTAINERS[tag](items)
    if tag == "ndarray":
        dtype, content = items
        return (
            importlib.import_module("numpy").array(content, dtype=dtype)
            if arrays and _DTYPE.fullmatch(dtype)
            else content
        )
    if tag == "timedelta":
        return importlib.import_module("datetime").timedelta(*items)
    numerator, denominator = items
    if tag == "Fraction" and max(abs(numerator), abs(denominator)).bit_length() <= _MAX_FRACTION_BITS:
        return importlib.import_module("fractions").Fraction(numerator, denominator)
    return Opaque(tag)


def _count_collisions(tag: str, items: list[Any], depths: list[int], seen: set[str]) -> float:
    """
    Count the items of a container that have equal hashes.

    The count is infinite if the container cannot be built, compared and freed without recursion and in linear time.
    """
    if tag in ("list", "tuple"):
        return 1
    if tag not in _KEYS:
        return 1 if max(depths, default=0) < _MAX_NESTING else math.inf
    if max(depths[::2] if tag in _PLAIN_DICTS else depths, default=0) >= _MAX_NESTING:
        return math.inf
    keys = _KEYS[tag](items)
    if not keys:
        return 1
    began = time.thread_time()
    hashes = list(map(hash, keys))
    seconds = _FILL_SECONDS + _FILL_FACTOR * (time.thread_time() - began)
    if not _fills_in(seconds, hashes):
        return math.inf
    most = max(Counter(hashes).values())
    # The comparison of integers with decimals is slow.
    is_slow = {"Decimal", "int"} <= seen or ("Decimal" in seen and most > 2) or most > _MAX_COLLISIONS
    return math.inf if is_slow or not _fills_in(seconds, keys) else most


def _fills_in(seconds: float, keys: list[Any]) -> bool:
    """
    Whether keys fill a table within some CPU seconds.

    Keys of different hashes can be chosen so that they collide in the table.
    """
    pairs, table = dict[Any, Any](), set[Any]()
    began = time.thread_time()
    for start in range(0, len(keys) if len(keys) > _FEW_KEYS else 0, _FEW_KEYS // 16):
        part = keys[start : start + _FEW_KEYS // 16]
        pairs.update(zip(part, part, strict=True))
        table.update(part)
        if time.thread_time() - began > seconds:
            return False
    return True


def _pairs(items: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(items[::2], items[1::2], strict=True)


def _range(items: list[Any]) -> Any:
    numbers = range(*items)
    return numbers if abs(numbers.stop - numbers.start) // abs(numbers.step) <= _MAX_RANGE else Opaque("range")


def _counter(items: list[Any]) -> Counter[Any]:
    counter = Counter[Any]()
    dict.update(counter, _pairs(items))  # key by key: a copy would have a table of another size
    return counter


_CONTAINERS: dict[str, Callable[[list[Any]], Any]] = {
    "list": list,
    "tuple": tuple,
    "dict": lambda items: dict(_pairs(items)),
    "OrderedDict": lambda items: OrderedDict(_pairs(items)),
    "Counter": _counter,
    "defaultdict": lambda items: defaultdict(FACTORIES[items[0]], _pairs(items[1:])),
    "set": lambda items: set(items),
    "frozenset": lambda items: frozenset(items),
    "deque": lambda items: deque(items[1:], items[0]),
    "range": _range,
    "complex": lambda items: complex(*items),
    "keys": lambda items: dict.fromkeys(items).keys(),
    "values": lambda items: dict(enumerate(items)).values(),
    "items": lambda items: dict(items).items(),
    "iterator": iter,
}
# The keys that each container hashes.
_KEYS: dict[str, Callable[[list[Any]], list[Any]]] = {
    **dict.fromkeys(_PLAIN_DICTS, lambda items: items[::2]),
    "defaultdict": lambda items: items[1::2],
    "set": list,
    "frozenset": list,
    "keys": list,
    "items": lambda items: [key for key, _ in items],
}
