"""Leave arguments."""

import sys

assert len(sys.argv) == 1
sys.argv.append("x")
print(input())
