"""An exception of the program that is caught by its built-in base."""

# %% test
try:
    draw(5)
    assert False
except ValueError as e:
    assert str(e) == "3"


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
