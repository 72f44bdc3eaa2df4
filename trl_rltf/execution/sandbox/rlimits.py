"""Bound the resources of a process, see setrlimit(2)."""

from __future__ import annotations

import resource


_STACK_BYTES = 128 * 2**20  # solutions recurse deeply; the kernel leaves at least this much room


def lowest_limit(kind: int, bound: int) -> tuple[int, int]:
    """
    Combine a bound with the hard limit that is in force.

    Args:
        kind (`int`): One of `resource.RLIMIT_…`.
        bound (`int`): The value wanted.

    Returns:
        `tuple[int, int]`: Soft and hard limit. They are equal, so that a program cannot raise the soft one.
    """
    hard = resource.getrlimit(kind)[1]
    value = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    return value, value


def bound_resources(memory_limit: int, max_open_files: int, max_user_processes: int) -> None:
    """
    Bound this process and all that it starts, for good.

    Args:
        memory_limit (`int`): Bytes of address space of this process. It is a soft limit, since a program may have more: each
            process of a program takes its hard limit when it is forked.
        max_open_files (`int`): Open files per process.
        max_user_processes (`int`): Processes and threads of the user, those of other programs included.
    """
    for kind, bound in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, max_open_files),
        (resource.RLIMIT_NPROC, max_user_processes),
    ):
        resource.setrlimit(kind, lowest_limit(kind, bound))
    memory = lowest_limit(resource.RLIMIT_AS, memory_limit)[0]
    resource.setrlimit(resource.RLIMIT_AS, (memory, resource.getrlimit(resource.RLIMIT_AS)[1]))
    # The hard limit stays: many solutions raise the soft one, and the address space already bounds the stack.
    soft = lowest_limit(resource.RLIMIT_STACK, _STACK_BYTES)[0]
    resource.setrlimit(resource.RLIMIT_STACK, (soft, resource.getrlimit(resource.RLIMIT_STACK)[1]))
