"""Dates."""

# %% test
assert f() == datetime.date(2020, 1, 2)

# %% right
import datetime


def f():
    return datetime.date(2020, 1, 2)


# %% wrong
import datetime


def f():
    return datetime.date(2020, 1, 3)
