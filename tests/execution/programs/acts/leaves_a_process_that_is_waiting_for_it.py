"""Leave a process that kills the parent once this run has ended."""

import os

r, w = os.pipe()
if os.fork() == 0:
    os.close(w)
    os.read(r, 1)
    os.kill(os.getppid(), 9)
    os._exit(0)
