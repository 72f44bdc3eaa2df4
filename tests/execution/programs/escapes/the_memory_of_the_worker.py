"""Read the memory of the worker process."""

import os

open(f"/proc/{os.getppid()}/mem", "rb").read(1)
