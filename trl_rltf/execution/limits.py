"""Define the default limits of programs, and check the limits that a caller gives."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any


TIMEOUT = 4.0  # CPU seconds per test
MEMORY_LIMIT = 2**30  # bytes of address space per process
OUTPUT_LIMIT = 2**24  # bytes of output per test, and per file
MAX_PROCESSES = 64  # at a time
_MIN_MEMORY = 2**26  # bytes of address space that Python itself needs


def check_limits(limits: Mapping[str, Any]) -> None:
    """
    Check the types and the ranges of limits.

    Args:
        limits (`Mapping[str, float]`): Each limit by the name of its argument. Only `program_timeout` may be `None`.

    Raises:
        ValueError: If a limit is not a number above 0, or if it is too small to work.
    """
    for name, value in limits.items():
        if value is None and name == "program_timeout":
            continue
        is_time = name.endswith("timeout")
        if isinstance(value, bool) or not isinstance(value, (int, float) if is_time else int) or not value > 0:
            expected = "a number of seconds" if is_time else "a whole number"
            raise ValueError(f"`{name}` is {value!r}, but must be {expected} above 0.")
        if name == "memory_limit" and value < _MIN_MEMORY:
            raise ValueError(f"`memory_limit` is {value} bytes, but Python itself needs at least 2**26 (64 MiB).")


def default_num_workers() -> int:
    """
    Number of usable CPU cores per process.

    `accelerate launch` may have started several processes on this machine, which share the cores.
    """
    return max(1, len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
