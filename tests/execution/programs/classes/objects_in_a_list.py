"""Objects in a list."""

# %% test
ps = [P(2), P(5)]
assert total(ps) == 7


# %% right
class P:
    def __init__(self, v):
        self.v = v


def total(ps):
    return sum(p.v for p in ps)


# %% wrong
class P:
    def __init__(self, v):
        self.v = v


def total(ps):
    return len(ps)
