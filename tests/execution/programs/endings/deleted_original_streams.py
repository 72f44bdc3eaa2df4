"""Delete the original streams of the interpreter."""

import sys

print(input())
del sys.__stdin__, sys.__stdout__
