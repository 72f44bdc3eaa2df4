"""Detect an earlier run by the flags of its descriptors."""

import fcntl, os

seen = [fcntl.fcntl(fd, fcntl.F_GETFL) & (os.O_APPEND | os.O_NONBLOCK) for fd in range(4)]
for fd in range(4):
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK)
print(2 if any(seen) else 1)
