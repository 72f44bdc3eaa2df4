"""End a fork with an exit code."""

import os

print(input(), flush=True)
if os.fork() == 0:
    raise SystemExit(3)
os.wait()
