"""The mode of the file of the output."""

# %% first
import os

os.fchmod(1, 0)

# %% second
open("/dev/stdout", "w").write(input())
