"""Leave memory."""

data = bytearray(3 * 10**8)
print(input())
loop = [data]
loop.append(loop)
