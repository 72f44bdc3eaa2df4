"""Write files, one with a name that is not UTF-8, and a folder that cannot be listed; print the number of entries."""

import os

os.makedirs("a/b")
open("a/b/answer", "w").write("3")
open(b"\xff", "w").close()
os.mkdir("closed", 0)
print(len(os.listdir(".")))
