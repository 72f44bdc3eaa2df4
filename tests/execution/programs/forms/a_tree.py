"""A tree."""

# %% test
root = Node(1)
root.left = Node(2)
assert depth(root) == 2
assert root.left.value == 2


# %% right
class Node:
    def __init__(self, value):
        self.value, self.left = value, None


def depth(n):
    return 1 + depth(n.left) if n else 0


# %% wrong
class Node:
    def __init__(self, value):
        self.value, self.left = value, None


def depth(n):
    return 1
