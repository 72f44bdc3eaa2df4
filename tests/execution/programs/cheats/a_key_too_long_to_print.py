"""Return a mapping with an integer key too long for `str`."""


def add(a, b):
    return {10**5000: 1}
