"""Ask which pages of a file are in memory, and try to drop them."""

import ctypes
import os

file = os.open(os.__file__, os.O_RDONLY)
calls = [
    lambda: os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED),
    lambda: os.preadv(file, [bytearray(1)], 0, os.RWF_NOWAIT),
]
for call in calls:
    try:
        call()
    except PermissionError:
        print("refused")
print(ctypes.CDLL(None).mincore(None, 0, None), os.preadv(file, [bytearray(1)], 0))
