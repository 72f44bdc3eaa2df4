"""Leave files."""

import os

os.makedirs("a/b/c")
open("a/b/c/d", "w").write("x" * 1000)
