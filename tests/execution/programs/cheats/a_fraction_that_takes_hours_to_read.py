"""Return a fraction whose text has an exponent of ten digits."""

from fractions import Fraction

Fraction.__str__ = lambda self: "1e9999999999"


def add(a, b):
    return Fraction(1, 2)
