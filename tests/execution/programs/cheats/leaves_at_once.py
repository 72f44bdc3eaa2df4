"""End with exit code 0, without cleanup, before the function is defined."""

import os

os._exit(0)
