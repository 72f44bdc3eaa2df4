"""An extended attribute of the working folder."""

# %% first
import os

os.setxattr(".", "user.mark", b"x")

# %% second
import os

assert not os.listxattr(".")
print(input())
