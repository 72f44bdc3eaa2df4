"""Read the list of users through a symbolic link."""

import os

os.symlink("/etc/passwd", "link")
open("link").read()
