"""Raise an exception in an exit handler."""

import atexit

atexit.register(lambda: 1 / 0)
print(input())
