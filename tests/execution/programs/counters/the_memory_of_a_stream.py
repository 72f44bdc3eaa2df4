"""Count the runs in the memory of a stream."""

import sys

sys.stderr.n = getattr(sys.stderr, "n", 0) + 1
print(sys.stderr.n)
