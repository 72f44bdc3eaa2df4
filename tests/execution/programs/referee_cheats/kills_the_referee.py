"""Kill all processes of the namespace but this one."""

import os

for pid in os.listdir("/proc"):
    if pid.isdigit() and int(pid) not in (1, os.getpid()):
        try:
            os.kill(int(pid), 9)
        except OSError:
            pass


def f(n):
    return 7
