"""An exception that is expected."""

# %% test
try:
    f(-1)
except ValueError as error:
    assert "negative" in str(error)
else:
    assert False


# %% right
def f(x):
    raise ValueError("negative")


# %% wrong
def f(x):
    raise KeyError("negative")
