"""An object of a class of the program."""

# %% test
stack = Stack()
stack.push(3)
assert stack.pop() == 3
assert len(stack) == 0


# %% right
class Stack(list):
    push = list.append


# %% wrong
class Stack:
    def push(self, x):
        pass

    def pop(self):
        return 4

    def __len__(self):
        return 0
