"""Leave an imported module."""

import __main__

assert not hasattr(__main__, "mark")
__main__.mark = 1
print(input())
