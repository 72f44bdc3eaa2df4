"""Children that use a little time each."""

import os, time


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


for _ in range(10):
    if os.fork() == 0:
        burn(0.3)
        os._exit(0)
    os.wait()
