"""Recurse until the stack of the interpreter overflows."""

import sys

sys.setrecursionlimit(10**9)


def f():
    return f()


f()
