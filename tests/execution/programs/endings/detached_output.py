"""Detach the buffer of the output stream and wrap it again."""

import io, sys

sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding="utf-8")
print(input())
