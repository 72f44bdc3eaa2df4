"""Count the runs in an attribute of a class."""

from collections import Counter

Counter.n = getattr(Counter, "n", 0) + 1
print(Counter.n)
