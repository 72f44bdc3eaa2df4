"""Measure the CPU time of a program with all processes that it has started."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator

from ..sandbox.processes import CAN_ASK_FOR_CHILDREN, children_of, descendants


_TICKS = os.sysconf("SC_CLK_TCK")
_CHILDREN_USER = 13  # fields of proc_pid_stat(5) after the name: time of the children that were waited for


class CpuMeter:
    """
    Add up the CPU time of processes and of all their descendants.

    The time of a child that was waited for is in the figures of its parent.

    Attributes:
        latest (`float`): Seconds at the last reading.
    """

    def __init__(self) -> None:
        self.latest = 0.0
        self._own: dict[int, float] = {}  # of each process that was seen, also of those that no parent waited for

    def read(self, pids: Iterable[int]) -> float:
        """
        Read the time that was used until now.

        Args:
            pids (`Iterable[int]`): Processes that the caller has forked and not yet waited for.

        Returns:
            `float`: Seconds; never fewer than at the last reading.
        """
        total = 0.0
        for pid in _family(pids) if CAN_ASK_FOR_CHILDREN else descendants():
            with contextlib.suppress(OSError):  # it has just ended
                own = time.clock_gettime((~pid << 3) | 2)  # the clock of another process, see clock_getcpuclockid(3)
                self._own[pid] = own
                total += own + _waited_for(pid)
        self.latest = max(self.latest, total, sum(self._own.values()))
        return self.latest


def _family(pids: Iterable[int]) -> Iterator[int]:
    queue = list(pids)
    while queue:
        pid = queue.pop()
        yield pid
        queue += children_of(pid)


def _waited_for(pid: int) -> float:
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return sum(map(int, fields[_CHILDREN_USER : _CHILDREN_USER + 2])) / _TICKS
