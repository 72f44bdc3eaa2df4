"""Leave a process."""

import os
import time

if os.fork() == 0:
    time.sleep(300)
