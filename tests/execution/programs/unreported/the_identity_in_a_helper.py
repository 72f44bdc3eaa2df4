"""The identity in a helper."""


# %% setup
def check(c):
    x = [1]
    y = c(x)
    assert y is not x and y == [1]


# %% test
check(f)


# %% wrong
def f(x):
    return x
