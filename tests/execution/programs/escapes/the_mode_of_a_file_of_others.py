"""Change the mode of a folder of the system."""

import os

os.chmod("/usr/bin", 0o777)
