"""Claim to be the built-in `eval`."""


def f(n):
    return 7


f.__module__, f.__qualname__ = "builtins", "eval"
