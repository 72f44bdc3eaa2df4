"""Nest folders, each with many links in a folder that cannot be listed."""

import os

for number in range(100_000):
    os.mkdir("d")
    os.chdir("d" if number % 100 else "/proc/self/cwd/d")
    os.mkdir("closed", 0o300)
    for other in range(100):
        os.symlink("x", f"closed/{other}")
