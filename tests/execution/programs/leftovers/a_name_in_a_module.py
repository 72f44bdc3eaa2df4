"""Leave a name in a module."""

import math

if hasattr(math, "mark"):
    print("again")
math.mark = 1
print(input())
