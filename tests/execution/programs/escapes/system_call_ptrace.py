"""Make the system call ptrace."""

import ctypes

if ctypes.CDLL(None, use_errno=True).ptrace(16, 1, 0, 0) < 0:
    raise OSError("refused")
