"""A generator."""

# %% test
assert list(f(3)) == [0, 1, 2]

# %% test
assert [x + 1 for x in f(2)] == [1, 2]


# %% right
def f(n):
    yield from range(n)


# %% wrong
def f(n):
    yield 7
