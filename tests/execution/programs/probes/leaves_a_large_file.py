"""Write a large file, then sleep."""

import time

open("left", "w").write("x" * 10**6)
print(input(), flush=True)
time.sleep(60)
