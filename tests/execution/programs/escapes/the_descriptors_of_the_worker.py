"""Open the descriptors of the worker process."""

import os

for name in os.listdir(f"/proc/{os.getppid()}/fd"):
    open(f"/proc/{os.getppid()}/fd/{name}", "rb")
