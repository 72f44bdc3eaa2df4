"""The class that an object is derived from."""

# %% setup
b = Bag([1])

# %% test
assert isinstance(b, list) and b.size() == 1


# %% right
class Bag(list):
    def size(self):
        return len(self)


# %% wrong
class Bag:
    def __init__(self, x):
        pass

    def size(self):
        return 1
