"""An assert about identity after one about plain data."""

# %% test
x = [1]
assert f(x) == [1]

# %% test
assert f(x) is x


# %% right
def f(x):
    return x


# %% wrong
def f(x):
    return list(x)
