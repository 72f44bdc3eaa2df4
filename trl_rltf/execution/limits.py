"""Define the default limits of programs, and check the limits that a caller gives."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypedDict

from .wire.messages import ProgramLimits, WorkerLimits


TIMEOUT = 4.0  # CPU seconds per test
MEMORY_LIMIT = 2**30  # bytes of address space per process
OUTPUT_LIMIT = 2**24  # bytes of output per test, and per file
MAX_PROCESSES = 64  # at a time
LIMIT_COLUMNS = ("time_limit", "memory_limit")  # of a problem, in a dataset
_MIN_MEMORY = 2**26  # bytes of address space that Python itself needs
_LEAST_PUBLISHED = 2**16  # bytes; a smaller number is one of megabytes
_WALL_PER_CPU_SECOND = 3


class ProblemLimits(TypedDict):
    """
    Limits of a problem, as arguments of [`Program`].

    Args:
        timeout (`float` or `None`): CPU seconds per test.
        memory_limit (`int` or `None`): Bytes of address space per process.
    """

    timeout: float | None
    memory_limit: int | None


def check_limits(limits: Mapping[str, Any]) -> None:
    """
    Check the types and the ranges of limits.

    Args:
        limits (`Mapping[str, float]`): Each limit by the name of its argument. Only `program_timeout` may be `None`.

    Raises:
        ValueError: If a limit is not a number above 0, or if it is too small or too large to work.
    """
    for name, value in limits.items():
        if value is None and name == "program_timeout":
            continue
        is_time = name.endswith(("timeout", "time_limit"))
        most = 10**9 if is_time else 2**63 - 1  # the kernel takes no larger number of bytes
        is_number = isinstance(value, (int, float) if is_time else int) and not isinstance(value, bool)
        if not is_number or not 0 < value <= most:
            expected, limit = ("a number of seconds", "10**9") if is_time else ("a whole number", "2**63 - 1")
            raise ValueError(f"`{name}` is {value!r}, but must be {expected} above 0 and at most {limit}.")
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
        "wall_timeout": _WALL_PER_CPU_SECOND * timeout if wall_timeout is None else wall_timeout,
        "program_timeout": program_timeout,
        "memory_limit": memory_limit,
        "output_limit": output_limit,
        "max_processes": max_processes,
    }
    check_limits(limits)
    return limits


def program_limits(timeout: float | None, memory_limit: int | None, wall_timeout: float | None) -> ProgramLimits:
    """
    Find the limits of a program that differ from those of its runner.

    Args:
        timeout (`float` or `None`): CPU seconds per test of the program; `None` for those of the runner.
        memory_limit (`int` or `None`): Bytes of address space per process; `None` for those of the runner.
        wall_timeout (`float` or `None`): Elapsed seconds per test that the runner was given.

    Returns:
        [`~execution.wire.messages.ProgramLimits`]: The limits, as a worker gets them.
    """
    limits: ProgramLimits = {}
    if timeout is not None:
        limits["timeout"] = timeout
        if wall_timeout is None:
            limits["wall_timeout"] = _WALL_PER_CPU_SECOND * timeout
    if memory_limit is not None:
        limits["memory_limit"] = memory_limit
    return limits


def check_program_limits(timeout: Any, memory_limit: Any) -> None:
    """
    Check the limits of a program.

    Args:
        timeout (`float` or `None`): CPU seconds per test.
        memory_limit (`int` or `None`): Bytes of address space per process.

    Raises:
        ValueError: As `check_limits` does.
    """
    given = {"timeout": timeout, "memory_limit": memory_limit}
    check_limits({name: value for name, value in given.items() if value is not None})


def problem_limits(row: Mapping[str, Any]) -> ProblemLimits:
    """
    Read the limits of a problem from `time_limit` and `memory_limit` of its row.

    Args:
        row (`Mapping[str, Any]`): The row. Both columns may be absent or `None`: the limit of the runner then holds. Fewer bytes
            than Python itself needs, which some contests give, are raised to 2**26.

    Returns:
        [`ProblemLimits`]: The limits, as arguments of [`Program`].

    Raises:
        ValueError: If a limit is not a number above 0, or the bytes are so few that they must be megabytes.
    """
    seconds, size = row.get("time_limit"), row.get("memory_limit")
    if isinstance(size, float) and size.is_integer():  # a column of numbers and nulls may be one of floats
        size = int(size)
    if isinstance(size, int) and 0 < size < _LEAST_PUBLISHED and not isinstance(size, bool):
        raise ValueError(
            f"`memory_limit` is {size}, but must be a number of bytes, of which no program needs so few. For megabytes, multiply the "
            "column by 2**20."
        )
    if isinstance(size, int) and 0 < size < _MIN_MEMORY and not isinstance(size, bool):
        size = _MIN_MEMORY
    found = {"time_limit": seconds, "memory_limit": size}
    check_limits({name: value for name, value in found.items() if value is not None})
    return {"timeout": seconds, "memory_limit": size}


def default_num_workers() -> int:
    """
    Number of usable CPU cores per process.

    `accelerate launch` may have started several processes on this machine, which share the cores.
    """
    return max(1, len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
