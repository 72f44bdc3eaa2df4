"""Make the system call memfd_create."""

import ctypes

if ctypes.CDLL(None, use_errno=True).memfd_create(b"x", 0) < 0:
    raise OSError("refused")
