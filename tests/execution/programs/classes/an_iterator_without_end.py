"""An iterator without end."""

# %% test
assert [n for n, _ in zip(count(4), range(3))] == [4, 5, 6]


# %% right
def count(n):
    while True:
        yield n
        n += 1


# %% wrong
def count(n):
    while True:
        yield n
        n += 2
