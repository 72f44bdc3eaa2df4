"""Detect an earlier run by the mode of the working folder."""

import os

mode = os.stat(".").st_mode & 0o77
try:
    os.chmod(".", 0o711)
except OSError:
    pass
print(2 if mode == 0o11 else 1)
