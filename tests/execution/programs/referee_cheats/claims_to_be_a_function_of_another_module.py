"""Claim to be `operator.truth`."""


def f(n):
    return 7


f.__module__, f.__qualname__ = "operator", "truth"
