"""Kill every process that can be signalled."""

import os
import time

os.kill(-1, 9)
time.sleep(0.2)
