"""A helper of the program."""

# %% test
assert math.fabs(poly(f(3), 3)) < 1e-4

# %% right
import math


def poly(c, x):
    return c + x


def f(x):
    return -x


# %% wrong
import math


def poly(c, x):
    return c + x


def f(x):
    return x
