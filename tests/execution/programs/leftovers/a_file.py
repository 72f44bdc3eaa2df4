"""Leave a file."""

import os

print(input() if not os.listdir(".") else "again")
open("x", "w").write("x")
