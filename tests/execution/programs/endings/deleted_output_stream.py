"""Delete the output stream."""

import sys

print(input())
del sys.stdout
