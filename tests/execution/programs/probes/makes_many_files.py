"""Make files in four processes, for 20 seconds."""

import os
import time

for _ in range(3):
    if os.fork() == 0:
        break
number, end = 0, time.time() + 20
while time.time() < end:
    os.mknod(f"{os.getpid()}-{number}")
    number += 1
