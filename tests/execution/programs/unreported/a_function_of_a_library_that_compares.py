"""A function of a library that compares."""

# %% test
assert close(f(1), 7.5)

# %% wrong
from operator import ne as close


def f(x):
    return -1
