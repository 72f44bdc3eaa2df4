"""Frame the messages between the caller and a worker."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from typing import Any


HEADER = struct.Struct("!I")
PART_SIZE = struct.Struct("!Q")


def frame(message: Any) -> bytes:
    """Encode a message as one length-prefixed frame: the length of some JSON, the JSON, and bytes that may follow it."""
    data = json.dumps(message).encode()
    return HEADER.pack(HEADER.size + len(data)) + HEADER.pack(len(data)) + data


def parse_frame(body: bytes) -> tuple[Any, memoryview]:
    """Decode what [`frame`] made, without its first length."""
    size = HEADER.unpack_from(body)[0]
    view = memoryview(body)[HEADER.size :]
    return json.loads(bytes(view[:size])), view[size:]


def pack_parts(parts: Iterable[bytes]) -> bytes:
    """Put bytes together for [`~worker.sealed.SealedFile.skip_to`] and [`~worker.sealed.SealedFile.move_part`]."""
    return b"".join(piece for part in parts for piece in (PART_SIZE.pack(len(part)), part))
