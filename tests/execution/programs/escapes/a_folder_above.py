"""Move the working folder out of its parent."""

import os

os.rename(".", "../moved")
