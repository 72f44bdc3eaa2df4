"""Replace the clocks of the record writer by functions that do not return a number, then use time."""

import sys
import time


def f(n):
    frame = sys._getframe()
    while "writer" not in frame.f_locals:
        frame = frame.f_back
    writer = frame.f_locals["writer"]
    assert callable(writer._cpu_clock) and callable(writer._wall_clock)
    writer._cpu_clock = writer._wall_clock = lambda: float("nan")
    end = time.time() + 0.1 * (n == 1)
    while time.time() < end:
        pass
    return n
