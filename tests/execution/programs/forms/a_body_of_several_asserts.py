"""A body of several asserts."""

# %% test
METADATA = {}


def check(candidate):
    assert candidate(1) == 2
    assert candidate(2) == 3


check(f)


# %% right
def f(x):
    return x + 1


# %% wrong
def f(x):
    return 2
