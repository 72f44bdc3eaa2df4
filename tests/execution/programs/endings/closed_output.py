"""Close the output stream."""

import sys

print(input())
sys.stdout.close()
