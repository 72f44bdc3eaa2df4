"""Detect an earlier run by the mode of the file of the input."""

import os

seen = os.fstat(0).st_mode
try:
    os.fchmod(0, 0o700)
except OSError:
    pass
print(1 if seen & 0o77 else 2)
