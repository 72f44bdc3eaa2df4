"""Restrict the worker to one core."""

import os

os.sched_setaffinity(os.getppid(), {min(os.sched_getaffinity(0))})
