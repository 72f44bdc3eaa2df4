"""Whether an argument and a result are the same object."""

# %% setup
x = [1]

# %% test
assert f(x) is x

# %% test
x.append(2)
assert f(x) == [1, 2]


# %% right
def f(x):
    return x


# %% wrong
def f(x):
    return list(x)
