"""An argument that a function of the program changes in place."""

# %% test
grid = [[1], [2]]
n = f(grid)
assert grid == [[1, 0], [2, 0]] and n == 2


# %% right
def f(grid):
    for row in grid:
        row.append(0)
    return len(grid)


# %% wrong
def f(grid):
    return len(grid)
