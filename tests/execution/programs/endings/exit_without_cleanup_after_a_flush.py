"""End without cleanup, after the output was flushed."""

import os

print(input(), flush=True)
os._exit(0)
