"""Two names for one list."""

# %% test
row = [1]
grid = [row, [2]]
n = f(grid)
assert row == [1, 0] and grid == [[1, 0], [2, 0]] and n == 2


# %% right
def f(grid):
    for row in grid:
        row.append(0)
    return len(grid)


# %% wrong
def f(grid):
    grid[:] = [row + [0] for row in grid]
    return len(grid)
