"""A lease on the file of the input."""

# %% first
import fcntl

fcntl.fcntl(0, fcntl.F_SETLEASE, fcntl.F_WRLCK)

# %% second
print(open("/dev/stdin").read())
