"""Threads of the tests that call the program."""

# %% test
from concurrent.futures import ThreadPoolExecutor

with ThreadPoolExecutor(8) as pool:
    assert list(pool.map(f, range(40))) == [2 * i for i in range(40)]


# %% right
def f(x):
    return 2 * x


# %% wrong
def f(x):
    return x
