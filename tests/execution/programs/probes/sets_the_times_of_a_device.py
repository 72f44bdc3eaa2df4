"""Print whether the times of a device are new, then set them."""

import os
import time

print(time.time() - os.stat("/dev/full").st_mtime < 1)
os.utime("/dev/full")
time.sleep(0.6)
