"""An exception is caught by its base and looked at."""

# %% test
try:
    draw(5)
    assert False
except ValueError as error:
    assert error.left == 3 and error.args == (3,)

# %% test
try:
    draw(5)
    assert False
except Bank as error:
    assert str(error) == "3"


# %% right
class Bank(Exception):
    pass


class NoFunds(Bank, ValueError):
    def __init__(self, left):
        super().__init__(left)
        self.left = left


def draw(n):
    if n > 3:
        raise NoFunds(3)
    return n


# %% wrong
class Bank(Exception):
    pass


class NoFunds(Bank, ValueError):
    def __init__(self, left):
        super().__init__(left)
        self.left = left


def draw(n):
    if n > 3:
        raise KeyError(3)
    return n
