"""A class with operators, an exception, an endless generator and a function that prints."""


class V:
    def __init__(s, x):
        s.x = x

    def __add__(s, o):
        return V(s.x + o.x)

    def __eq__(s, o):
        return s.x == o.x

    def __lt__(s, o):
        return s.x < o.x

    def __hash__(s):
        return s.x

    def __contains__(s, x):
        return x == s.x


class Own(Exception):
    pass


def bad():
    raise Own("no")


def count():
    n = 0
    while True:
        yield n
        n += 1


def show():
    print("hi")
