"""Print in the `finally` clause of a suspended generator."""


def g():
    try:
        yield
    finally:
        print(input())


h = g()
next(h)
