"""Make the system call setns."""

import ctypes

if ctypes.CDLL(None, use_errno=True).setns(0, 0) < 0:
    raise OSError("refused")
