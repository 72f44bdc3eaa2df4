"""Detect an earlier run by the times of the working folder."""

import os

seen = os.stat(".").st_mtime_ns
try:
    os.utime(".", ns=(7, 7))
except OSError:
    pass
print(2 if seen == 7 else 1)
