"""An index of the answer."""

# %% test
assert f(2)[0] == 2 and f(2)[-1] == 4


# %% right
def f(x):
    return [2, 3, 4]


# %% wrong
def f(x):
    return [3, 2]
