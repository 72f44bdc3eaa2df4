"""Leave an unread rest of the input."""

import sys

print(sys.stdin.readline().strip())
