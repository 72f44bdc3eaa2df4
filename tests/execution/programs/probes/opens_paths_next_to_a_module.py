"""Import an installed module; then open the files that the input names, and print a byte of each, or its error."""

import sys

import neighbour

print(neighbour.value)
for path in sys.stdin.read().splitlines():
    try:
        print(open(path, "rb").read(1))
    except OSError as error:
        print(type(error).__name__)
