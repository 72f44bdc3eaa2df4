"""Stop its parent."""

import os
import time

os.kill(os.getppid(), 19)
time.sleep(0.2)
