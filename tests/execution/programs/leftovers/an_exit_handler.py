"""Leave an exit handler."""

import atexit

atexit.register(print, end="")
print(input())
