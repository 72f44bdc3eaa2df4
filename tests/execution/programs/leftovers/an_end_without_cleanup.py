"""Leave by `os._exit`, which runs no handlers."""

import os

print(input(), flush=True)
os._exit(0)
