"""A stream that the program replaced."""

# %% test
assert f(2) + 0 == 2

# %% test
assert f(3) + 0 == 3

# %% right
import sys


class Out:
    def write(self, text):
        pass


sys.stdout = Out()


def f(x):
    print(x)
    return x


# %% wrong
def f(x):
    return 0
