"""Kill every process that can be signalled."""

import os

os.kill(-1, 9)
raise KeyError
