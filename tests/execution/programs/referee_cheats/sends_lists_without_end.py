"""Send the referee a deeply nested list that stops in the middle."""

import os, struct

data = b"[" * 100000
os.write(5, struct.pack("!I", len(data)) + data[:50000])


def f(n):
    return 7
