"""Read what a program's process reports; the program can write there too, so each record is rebuilt from checked parts."""

from __future__ import annotations

import json
from typing import Any


MAX_BYTES = 16 * 2**20
_MAX_ITEMS = 2_000_000
_MAX_NESTING = 300


def parse_record(line: bytes, num_tests: int) -> dict[str, Any] | None:
    """
    Read one record.

    Args:
        line (`bytes`): One line from the channel.
        num_tests (`int`): Number of tests that the program has.

    Returns:
        `dict` or `None`: A record of a known kind whose parts have the right types; `None` for anything else.
    """
    # Counted before they are built: a few bytes of text can become much more memory.
    if sum(map(line.count, (b",", b"[", b"{"))) > _MAX_ITEMS:
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    kind, test = record.get("kind"), record.get("test")
    if test is not None and not (type(test) is int and 0 <= test < num_tests):
        return None
    match kind:
        case "compiled":
            return {"kind": kind}
        case "start" if test is not None:
            return {"kind": kind, "test": test}
        case "done" if test is not None and isinstance(record.get("values"), list):
            values = record["values"]
            return {"kind": kind, "test": test, "values": values} if _is_shallow(values) else None
        case "error":
            return {"kind": kind, "test": test, **_error(record)}
        case "site":
            spans = {name: _numbers(record.get(name)) for name in ("span", "expression_span")}
            return {"kind": kind, "detail": str(record.get("detail", ""))[:100], **spans}
    return None


def _error(record: dict[str, Any]) -> dict[str, Any]:
    name, message = record.get("type"), record.get("message")
    return {
        "phase": "compile" if record.get("phase") == "compile" else "run",
        "type": name[:200] if isinstance(name, str) else "Unknown",
        "message": message[:500] if isinstance(message, str) else "",
        "position": _numbers(record.get("position")),
    }


def _numbers(value: Any) -> list[int] | None:
    if isinstance(value, list) and len(value) == 4 and all(type(n) is int and abs(n) < 2**31 for n in value):
        return value
    return None


def _is_shallow(values: Any) -> bool:
    """Whether the caller, wherever in its own stack it is, can read these values."""
    level = [values]
    for _ in range(_MAX_NESTING):
        level = [
            item
            for container in level
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return True
    return False
