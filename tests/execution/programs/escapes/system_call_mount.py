"""Make the system call mount."""

import ctypes

if ctypes.CDLL(None, use_errno=True).mount(b"none", b"/", b"tmpfs", 0, None) < 0:
    raise OSError("refused")
