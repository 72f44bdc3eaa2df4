"""Send the referee a message that is not JSON."""

import os

os.write(5, b"\0\0\0\5[[[[[")


def f(n):
    return 7
