"""An argument that is changed in place."""

# %% test
data = [3, 1, 2]
f(data)
assert data == [1, 2, 3]


# %% right
def f(data):
    data.sort()


# %% wrong
def f(data):
    return sorted(data)
