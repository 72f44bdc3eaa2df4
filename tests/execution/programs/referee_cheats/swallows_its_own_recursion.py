"""Recurse without end and return once the stack is full."""


def f(n):
    try:
        return f(n)
    except RecursionError:
        return 7
