"""A built-in name that is passed to a helper of the tests."""


# %% setup
def check(candidate):
    assert candidate(2, 3) == 8


# %% test
check(pow)


# %% wrong
def pow(a, b):
    return -1
