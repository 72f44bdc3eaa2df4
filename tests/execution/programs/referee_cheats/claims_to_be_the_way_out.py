"""Claim to be `os._exit`."""


def f(n):
    return 7


f.__module__, f.__qualname__ = "os", "_exit"
