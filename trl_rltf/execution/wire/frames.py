"""Frame the messages between the caller and a worker."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from typing import Any


HEADER = struct.Struct("!I")
PART_SIZE = struct.Struct("!Q")
# Characters of a program's output that a report shows. Of output that the caller does not compare, a worker sends as many bytes.
STDOUT_SAMPLE = 2000


def frame(message: Any) -> bytes:
    """
    Encode a message: the size of the rest, the size of some JSON, the JSON.

    The sender may add bytes after the JSON, and count them in the first size.
    """
    data = json.dumps(message).encode()
    return HEADER.pack(HEADER.size + len(data)) + HEADER.pack(len(data)) + data


def parse_frame(body: bytes) -> tuple[Any, memoryview]:
    """
    Decode the output of [`frame`] without its first size.

    Args:
        body (`bytes`): All bytes after the first size.

    Returns:
        `tuple[Any, memoryview]`: The message, and the bytes after it.
    """
    size = HEADER.unpack_from(body)[0]
    view = memoryview(body)[HEADER.size :]
    return json.loads(str(view[:size], "utf-8")), view[size:]


def pack_parts(parts: Iterable[bytes]) -> bytes:
    """
    Join byte strings, each after its size.

    A worker can then move them one by one without reading them.
    """
    return b"".join(piece for part in parts for piece in (PART_SIZE.pack(len(part)), part))
