"""A module of the program."""

# %% test
assert np.allclose(f(), [1.0, 2.0])

# %% right
import numpy as np


def f():
    return np.array([1.0, 2.0])


# %% wrong
import numpy as np


def f():
    return np.array([1.0, 2.5])
