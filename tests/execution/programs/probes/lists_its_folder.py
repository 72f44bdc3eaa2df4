"""Print the names in the working folder."""

import os

print(os.listdir("."))
