"""A variable of an earlier assert."""

# %% test
data = [3, 1]
f(data)
assert data == [1, 3]

# %% test
assert f(data) is None

# %% test
assert data[0] == 1


# %% right
def f(data):
    data.sort()


# %% wrong
def f(data):
    data.sort(reverse=True)
