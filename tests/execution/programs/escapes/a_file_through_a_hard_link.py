"""Open a command of the system for writing through a hard link."""

import os

os.link("/usr/bin/env", "link")
open("link", "a")
