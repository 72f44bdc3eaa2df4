"""The test changes a container of an object."""

# %% setup
n = Node(1)

# %% test
n.children.append(4)
assert n.total() == 5


# %% right
class Node:
    def __init__(self, v):
        self.v, self.children = v, []

    def total(self):
        return self.v + sum(self.children)


# %% wrong
class Node:
    def __init__(self, v):
        self.v, self.children = v, []

    def total(self):
        return self.v
