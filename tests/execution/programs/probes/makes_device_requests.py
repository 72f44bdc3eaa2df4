"""Make the requests of ioctl(2) that the input numbers, with and without a high bit, and print the results."""

import ctypes
import errno
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
file = os.open("own", os.O_RDWR | os.O_CREAT)
for request in map(int, sys.stdin.read().split()):
    for high in (0, 1 << 32):
        result = libc.ioctl(file, ctypes.c_ulong(request | high), bytes(4096))
        print(request, result if result == 0 else errno.errorcode[ctypes.get_errno()])
