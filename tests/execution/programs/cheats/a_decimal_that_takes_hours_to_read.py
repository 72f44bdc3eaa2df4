"""Return a decimal whose exact integer has a billion digits."""

from decimal import Decimal


def add(a, b):
    return Decimal("1e999999999")
