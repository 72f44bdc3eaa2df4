"""Allocate memory without end."""

data = []
while True:
    data.append(bytearray(10**7))
