"""Wait for a shell that also leaves a command in the background."""

import os

os.system("sleep 300 & sleep 300")
