"""Five processes that fork and end, over and over, each time in a new session."""

import os

for _ in range(5):
    if os.fork() == 0:
        while True:
            os.setsid()
            if os.fork():
                os._exit(0)
while True:
    pass
