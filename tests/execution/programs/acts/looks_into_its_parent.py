"""Look into its parent."""

import os

for name in ("mem", "environ", "fd/0", "maps"):
    try:
        open(f"/proc/{os.getppid()}/{name}", "rb").read(1)
    except OSError:
        continue
    print("open")
