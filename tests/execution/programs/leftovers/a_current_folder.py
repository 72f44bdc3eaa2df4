"""Leave a current folder."""

import os

assert os.getcwd() != "/"
os.chdir("/")
print(input())
