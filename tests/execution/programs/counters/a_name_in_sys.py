"""Count the runs in a name in sys."""

import sys

sys.n = getattr(sys, "n", 0) + 1
print(sys.n)
