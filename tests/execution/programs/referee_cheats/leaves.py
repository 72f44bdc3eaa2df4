"""End with exit code 0 when the function is called."""

import os


def f(n):
    os._exit(0)
