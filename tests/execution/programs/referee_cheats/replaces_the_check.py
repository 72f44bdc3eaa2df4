"""Define a function with the name of the check."""


def check(candidate):
    pass


def f(n):
    return 7
