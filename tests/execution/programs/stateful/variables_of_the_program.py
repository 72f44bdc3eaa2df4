"""Variables of the program."""

# %% test
add(2)
assert count == 2 and seen == [2]

# %% test
add(3)
assert count == sum(seen) == 5

# %% right
count, seen = 0, []


def add(n):
    global count
    count += n
    seen.append(n)
    return count


# %% wrong
count, seen = 0, []


def add(n):
    count = 0
    count += n
    seen.append(n)
    return count
