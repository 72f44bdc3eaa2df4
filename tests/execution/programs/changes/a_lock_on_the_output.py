"""A lock on the file of the output."""

# %% first
import fcntl

fcntl.flock(1, fcntl.LOCK_EX)

# %% second
import fcntl

fcntl.fcntl(1, fcntl.F_SETFL, 0)
print(input())
