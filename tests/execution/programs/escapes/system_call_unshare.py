"""Make the system call unshare."""

import ctypes

if ctypes.CDLL(None, use_errno=True).unshare(0x10000000) < 0:
    raise OSError("refused")
