"""Blocks that are allocated for the file of the output."""

# %% first
import os

os.posix_fallocate(1, 0, 2**23)

# %% second
import os

assert os.fstat(1).st_blocks == 0
print(input())
