"""Leave a global variable."""

try:
    seen
except NameError:
    print(input())
seen = 1
