"""Kill all processes of the namespace but this one."""

import os

try:
    pids = os.listdir("/proc")
except OSError:
    pids = map(str, range(2, 1000))
for pid in pids:
    if pid.isdigit() and int(pid) not in (1, os.getpid()):
        try:
            os.kill(int(pid), 9)
        except OSError:
            pass


def f(n):
    return 7
