"""Lock its folder."""

import os

os.mkdir("a")
try:
    os.chmod(".", 0)
except OSError:
    pass
