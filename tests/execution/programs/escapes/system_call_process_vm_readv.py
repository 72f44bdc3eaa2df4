"""Make the system call process_vm_readv."""

import ctypes

if ctypes.CDLL(None, use_errno=True).process_vm_readv(1, None, 0, None, 0, 0) < 0:
    raise OSError("refused")
