"""Read time and memory limits as datasets of programming contests write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


_MAX = 2**63  # a column of limits has 64-bit integers
_QUANTITY = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[a-zA-Z]*)")
_SECONDS = {"": 1.0, "s": 1.0, "sec": 1.0, "second": 1.0, "ms": 1e-3, "millisecond": 1e-3, "minute": 60.0}
# Contests write `MB` and mean 2**20 bytes.
_BYTES = {
    "": 1,
    "b": 1,
    "byte": 1,
    "kb": 2**10,
    "kib": 2**10,
    "kilobyte": 2**10,
    "mb": 2**20,
    "mib": 2**20,
    "megabyte": 2**20,
    "gb": 2**30,
    "gib": 2**30,
    "gigabyte": 2**30,
}


def parse_seconds(limit: Any) -> float | None:
    """
    Read a time limit.

    Args:
        limit (`Any`): Seconds as a number, text such as `"2.0 seconds"` or `"500 ms"`, or a mapping with `seconds` and `nanos`.

    Returns:
        `float` or `None`: Seconds; `None` for anything else, and for 0, which datasets write for an unknown limit.
    """
    if isinstance(limit, Mapping):
        parts = limit.get("seconds") or 0, limit.get("nanos") or 0
        if not all(map(_is_number, parts)):
            return None
        limit = parts[0] + parts[1] * 1e-9
    return _positive(_scaled(limit, _SECONDS))


def parse_bytes(limit: Any) -> int | None:
    """
    Read a memory limit.

    Args:
        limit (`Any`): Bytes as a number, or text such as `"256 megabytes"`.

    Returns:
        `int` or `None`: Bytes; `None` for anything else, and for 0, which datasets write for an unknown limit.
    """
    amount = _positive(_scaled(limit, _BYTES))
    return None if amount is None else int(amount)


def _scaled(limit: Any, units: Mapping[str, float]) -> float | None:
    if _is_number(limit):
        return float(limit)
    found = _QUANTITY.fullmatch(limit.strip()) if isinstance(limit, str) else None
    if found is None:
        return None
    unit = found["unit"].lower()
    factor = units.get(unit, units.get(unit.removesuffix("s")))
    return None if factor is None else float(found["number"]) * factor


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_MAX < value < _MAX


def _positive(amount: float | None) -> float | None:
    return amount if amount is not None and 0 < amount < _MAX else None
