"""Close all descriptors."""

import os

os.closerange(0, 64)
