"""List the home folders."""

import os

os.listdir(os.path.expanduser("~root"))
os.listdir("/home")
