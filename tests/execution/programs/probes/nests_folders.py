"""Nest more folders than Python can recurse into."""

import os

for _ in range(1100):
    os.mkdir("d")
    os.chdir("d")
print(len(os.getcwd()) > 1500)
