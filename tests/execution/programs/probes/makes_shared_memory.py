"""Make a segment of shared memory that stays after its process."""

import ctypes

ctypes.CDLL(None).shmget(7, 2**20, 0o1666)
print(True)
