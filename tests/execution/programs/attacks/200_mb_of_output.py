"""Print 200 MB through the buffered stream."""

import sys

for _ in range(200):
    sys.stdout.write("x" * 10**6)
