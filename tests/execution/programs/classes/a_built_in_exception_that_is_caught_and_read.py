"""A built-in exception that is caught and read."""

# %% test
try:
    f(3)
    assert False
except ValueError as e:
    assert str(e) == "('no', 3)"


# %% right
def f(x):
    raise ValueError("no", x)


# %% wrong
def f(x):
    raise ValueError("no")
