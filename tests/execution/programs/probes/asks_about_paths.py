"""Ask for attributes and entries of the paths that the input names, and print the errors."""

import os
import sys

paths = sys.stdin.read().splitlines()
for call in (os.stat, os.listdir):
    for path in paths:
        try:
            print(call(path))
        except OSError as error:
            print(error.errno)
