"""Write to the error stream without end."""

import sys

while True:
    sys.stderr.write("x" * 10**6)
