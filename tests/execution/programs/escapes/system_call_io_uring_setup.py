"""Make the system call io_uring_setup."""

import ctypes

if ctypes.CDLL(None, use_errno=True).syscall(425, 8, None) < 0:
    raise OSError("refused")
