"""Detect an earlier run by the size of the log of results."""

import os

seen = os.fstat(3).st_size
os.write(3, b"x" * 100)
print(2 if seen else 1)
