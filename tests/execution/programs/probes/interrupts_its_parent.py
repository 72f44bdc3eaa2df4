"""Send SIGINT to its parent, then solve the task."""

import os
import signal
import time

try:
    os.kill(os.getppid(), signal.SIGINT)
except PermissionError:
    pass
time.sleep(0.1)
a, b = map(int, input().split())
print(a + b)
