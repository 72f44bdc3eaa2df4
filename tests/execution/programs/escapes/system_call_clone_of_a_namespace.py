"""Make the system call clone with the flag of a new namespace."""

import ctypes

if ctypes.CDLL(None, use_errno=True).syscall(56, 0x10000011, 0, 0, 0, 0) < 0:
    raise OSError("refused")
