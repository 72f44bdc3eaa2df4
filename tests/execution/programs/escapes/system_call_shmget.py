"""Make the system call shmget."""

import ctypes

if ctypes.CDLL(None, use_errno=True).shmget(7, 4096, 0o1666) < 0:
    raise OSError("refused")
