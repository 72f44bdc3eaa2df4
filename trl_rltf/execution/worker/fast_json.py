"""
Read and write JSON with few functions of Python.

A worker and the processes of a program do this after each fork, where a function or an object costs a copy of the page of memory
that it is in. `json.loads` and `json.dumps` go through seven functions, and `json.dumps` makes an encoder for each call.
"""

from __future__ import annotations

import json.encoder
from typing import Any


_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_encode = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, None, json.encoder.encode_basestring_ascii, None, ": ", ", ", False, False, True
)


def load(data: bytes) -> Any:
    """Read JSON that [`dump`] or `json.dumps` wrote: without space around it."""
    return _scan(data.decode(), 0)[0]


def dump(content: Any) -> bytes:
    """Write plain data that do not contain themselves, as `json.dumps` does."""
    return "".join(_encode(content, 0)).encode()
