"""Leave a built-in function."""

import builtins

if hasattr(builtins, "mark"):
    print("again")
builtins.mark = 1
print(input())
