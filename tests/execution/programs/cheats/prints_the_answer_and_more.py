"""Print the right answer and one more line."""

a, b = map(int, input().split())
print(a + b)
print("and more")
