"""End with exit code 256, of which the system keeps the low byte: 0."""

import sys

print(input())
sys.exit(256)
