"""A method whose name is an attribute elsewhere."""

# %% test
res = []
res.append(pow(2, 3))
assert res == [8]


# %% wrong
def pow(a, b):
    return -1
