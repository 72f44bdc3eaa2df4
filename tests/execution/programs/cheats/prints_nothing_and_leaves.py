"""End with exit code 0 without printing anything."""

import os

os._exit(0)
