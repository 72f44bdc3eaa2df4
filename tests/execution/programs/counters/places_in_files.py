"""Detect an earlier run by the positions in its files."""

import os

seen = [os.lseek(fd, 0, 1) for fd in (0, 1, 3)]
for fd in (0, 3):
    os.lseek(fd, 5, 0)
print(2 if any(seen) else 1)
