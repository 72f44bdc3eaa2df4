"""Detect an earlier run by the times of the file of the output."""

import os

seen = os.fstat(1).st_mtime_ns
try:
    os.utime(1, ns=(7, 7))
except OSError:
    pass
print(2 if seen == 7 else 1)
