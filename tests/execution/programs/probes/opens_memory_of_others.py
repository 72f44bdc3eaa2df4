"""Open files in /proc of the caller, whose process the input numbers, and of the worker; print those that open."""

import os

caller, *names = input().split()
for pid in (caller, os.getppid()):
    for name in names:
        try:
            print(open(f"/proc/{pid}/{name}", "rb+" if name == "mem" else "rb", 0).fileno())
        except OSError:
            pass
