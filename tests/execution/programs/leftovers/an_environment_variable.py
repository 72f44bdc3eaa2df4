"""Leave an environment variable."""

import os

assert "MARK" not in os.environ
os.environ["MARK"] = "1"
print(input())
