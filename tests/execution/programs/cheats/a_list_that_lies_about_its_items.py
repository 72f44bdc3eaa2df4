"""Return a list whose items and length are not those that it reports."""


class Lie(list):
    def __iter__(self):
        return iter([1])

    def __len__(self):
        return 1

    def __eq__(self, other):
        return True


def add(a, b):
    return Lie()
