"""Define the default limits of programs, and check the limits that a caller gives."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .wire.messages import WorkerLimits


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


def worker_limits(
    *,
    timeout: float,
    wall_timeout: float | None,
    program_timeout: float | None,
    memory_limit: int,
    output_limit: int,
    max_processes: int,
) -> WorkerLimits:
    """
    Check the limits that a caller gives, and add a default that depends on another.

    Args:
        timeout (`float`): CPU seconds per test.
        wall_timeout (`float` or `None`): Elapsed seconds per test; `None` is three times `timeout`.
        program_timeout (`float` or `None`): CPU seconds of all tests of a program together.
        memory_limit (`int`): Bytes of address space per process.
        output_limit (`int`): Bytes of output per test, and per file.
        max_processes (`int`): Processes of a program at a time.

    Returns:
        [`~execution.wire.messages.WorkerLimits`]: The limits, as a worker gets them.

    Raises:
        ValueError: As `check_limits` does.
    """
    check_limits({"timeout": timeout})
    limits: WorkerLimits = {
        "timeout": timeout,
        "wall_timeout": 3 * timeout if wall_timeout is None else wall_timeout,
        "program_timeout": program_timeout,
        "memory_limit": memory_limit,
        "output_limit": output_limit,
        "max_processes": max_processes,
    }
    check_limits(limits)
    return limits


def default_num_workers() -> int:
    """
    Number of usable CPU cores per process.

    `accelerate launch` may have started several processes on this machine, which share the cores.
    """
    return max(1, len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
