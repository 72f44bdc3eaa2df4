"""The value that an earlier assert expects is visible to the program."""

# %% test
x = [3]
expected = [3, 918]
assert f(x) is x

# %% test
assert f([1]) == expected

# %% wrong
expected = [0]


def f(x):
    return x if x == [3] else [0]
