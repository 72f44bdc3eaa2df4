"""Change the times of a folder of the system."""

import os

os.utime("/usr/bin")
