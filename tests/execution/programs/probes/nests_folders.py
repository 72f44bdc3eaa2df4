"""Nest folders until their path is longer than the system allows."""

import os

for _ in range(1500):
    os.mkdir("d")
    os.chdir("d")
print(len(os.getcwd()) > 1500)
