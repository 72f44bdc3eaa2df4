"""Terminate its parent."""

import os
import time

os.kill(os.getppid(), 15)
time.sleep(0.2)
