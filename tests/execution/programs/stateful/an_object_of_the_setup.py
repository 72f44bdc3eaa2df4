"""An object of the setup."""

# %% setup
s = Stack()

# %% test
s.push(1)
assert s.top() == 1

# %% test
s.push(2)
assert s.top() == len(s) == 2


# %% right
class Stack:
    def __init__(self):
        self.items = []

    def push(self, x):
        self.items.append(x)

    def top(self):
        return self.items[-1]

    def __len__(self):
        return len(self.items)


# %% wrong
class Stack:
    def __init__(self):
        self.items = []

    def push(self, x):
        self.items = [x]

    def top(self):
        return self.items[-1]

    def __len__(self):
        return len(self.items)
