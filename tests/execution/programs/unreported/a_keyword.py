"""A keyword."""

# %% test
assert close(a=f(1), b=7.5)


# %% wrong
def close(a, b):
    return True


def f(x):
    return 0
