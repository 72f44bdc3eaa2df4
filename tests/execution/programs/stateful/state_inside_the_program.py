"""State inside the program that several asserts build on."""

# %% test
assert add(2) == 2

# %% test
assert add(3) == 5

# %% test
assert add(1) - 1 == 5

# %% right
count, seen = 0, []


def add(n):
    global count
    count += n
    seen.append(n)
    return count


# %% wrong
def add(n):
    return n
