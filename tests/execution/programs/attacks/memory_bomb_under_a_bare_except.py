"""Allocate memory without end and swallow each `MemoryError`."""

data = []
while True:
    try:
        data.append(bytearray(10**7))
    except:
        pass
