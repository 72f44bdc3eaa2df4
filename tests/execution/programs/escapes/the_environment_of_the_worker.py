"""Read the environment variables of the worker process."""

import os

open(f"/proc/{os.getppid()}/environ").read()
