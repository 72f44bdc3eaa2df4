"""Raise the exception of a failing assert."""


def f(n):
    raise AssertionError
