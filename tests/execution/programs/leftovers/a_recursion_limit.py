"""Leave a recursion limit."""

import sys

assert sys.getrecursionlimit() < 2000
sys.setrecursionlimit(50000)
print(input())
