"""A program that ends in the middle of the asserts."""

# %% test
x = []
assert f(x) == 0

# %% test
x.append(1)
assert f(x) == 1


# %% right
def f(x):
    return len(x)


# %% wrong
import os


def f(x):
    return len(x) if x else os._exit(0)
