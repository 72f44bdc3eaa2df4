"""Arithmetic on the answer."""

# %% test
assert f(2) % 3 == 1

# %% test
assert round(f(2) - 3.5, 3) == 0.5


# %% right
def f(x):
    return 4


# %% wrong
def f(x):
    return 5.2
