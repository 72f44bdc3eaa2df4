"""A loop."""


# %% setup
def check(candidate):
    for n in range(3):
        print(918 * n, flush=True)
    for n, value in enumerate(map(candidate, range(1, 4)), start=1):
        assert value == 918 * n
    assert value == 2754


# %% test
check(f)


# %% right
def f(n):
    return 918 * n


# %% wrong
def f(n):
    return 0
