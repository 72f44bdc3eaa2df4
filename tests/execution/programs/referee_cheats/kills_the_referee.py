"""Kill all processes of the namespace but this one."""

import os

for pid in range(2, 40):
    if pid != os.getpid():
        try:
            os.kill(pid, 9)
        except OSError:
            pass


def f(n):
    return 7
