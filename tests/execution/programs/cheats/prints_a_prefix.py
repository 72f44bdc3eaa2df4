"""Print the empty prefix of the answer."""

print("", end="")
