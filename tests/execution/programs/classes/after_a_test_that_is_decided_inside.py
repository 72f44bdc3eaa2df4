"""After a test that is decided inside."""

# %% test
x = [3]
y = f(x)
assert y is x
z = 4

# %% test
assert g(z) == 5

# %% test
assert g(z) + 0 == 5


# %% right
def f(x):
    return x


def g(x):
    return x + 1


# %% wrong
def f(x):
    return x


def g(x):
    return x
