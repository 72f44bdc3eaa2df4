"""A change inside a nested argument."""

# %% test
row = [1]
grid = [row, [2]]
f(grid)
assert row == [1, 0] and grid == [[1, 0], [2, 0]]


# %% right
def f(grid):
    for row in grid:
        row.append(0)


# %% wrong
def f(grid):
    grid[:] = [[0], [0]]
