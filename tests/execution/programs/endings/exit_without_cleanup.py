"""End without cleanup, which loses the buffered output."""

import os

print(input())
os._exit(0)
