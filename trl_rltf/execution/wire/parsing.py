"""Read JSON of bounded size and depth from a hostile process."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from .messages import ErrorDescription, ErrorSite


_MAX_NESTING = 300
# Bytes of memory that parsed JSON may take: 64 MiB, or 32 per byte of a longer text.
_SMALL_MEMORY, _MEMORY_PER_BYTE = 2**26, 32
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)', re.DOTALL)
_STEPS = dict(zip(b"[{]}", (1, 1, -1, -1), strict=True))  # change of the depth per character
_NOT_COUNTED = bytes(set(range(256)) - set(b'[{]},"'))


def parse_json(payload: bytes) -> Any:
    """
    Read JSON from the process of a program.

    Args:
        payload (`bytes`): Any bytes.

    Returns:
        `Any`: The value, or `None` if the bytes are not JSON, or if the value would be too large or too deep.
    """
    try:
        return json.loads(payload.decode()) if _is_harmless(payload) else None
    except (ValueError, RecursionError):
        return None


def _is_harmless(payload: bytes) -> bool:
    """
    Whether JSON text stands for a value of bounded size and depth.

    This is decided before the value is built.
    """
    if len(payload) <= _MAX_NESTING:  # too short to be deep or large
        return True
    if _memory(payload) > _SMALL_MEMORY or payload.count(b"[") + payload.count(b"{") > _MAX_NESTING:
        payload, size = _STRING.sub(b'"', payload).translate(None, _NOT_COUNTED), len(payload)
        brackets = payload.translate(None, b',"')
        depth = max(itertools.accumulate(map(_STEPS.__getitem__, brackets)), default=0)
        return depth <= _MAX_NESTING and _memory(payload) <= max(_SMALL_MEMORY, _MEMORY_PER_BYTE * size)
    return True


def _memory(text: bytes) -> int:
    """Bytes that the values in JSON text take at most, without characters."""
    return 232 * text.count(b"{") + 64 * text.count(b"[") + 40 * text.count(b",") + 56 * text.count(b'"')


def parse_error(payload: bytes) -> ErrorDescription:
    """Read the description of an error. A field of the wrong type gets a default."""
    content = parse_json(payload)
    error = content if isinstance(content, dict) else {}
    name, message = error.get("type"), error.get("message")
    return {
        "phase": "compile" if error.get("phase") == "compile" else "run",
        "type": name[:200] if isinstance(name, str) else "Unknown",
        "message": message[:500] if isinstance(message, str) else "",
        "position": _numbers(error.get("position")),
    }


def parse_site(payload: bytes) -> ErrorSite:
    """
    Read the place of an error in the source.

    A field of the wrong type gets a default.
    """
    content = parse_json(payload)
    site = content if isinstance(content, dict) else {}
    return {
        "detail": str(site.get("detail", ""))[:100],
        "span": _numbers(site.get("span")),
        "expression_span": _numbers(site.get("expression_span")),
    }


def _numbers(value: Any) -> list[int] | None:
    if isinstance(value, list) and len(value) == 4 and all(type(n) is int and abs(n) < 2**31 for n in value):
        return value
    return None
