"""A grandchild that uses time, while its parents wait and sleep."""

import os, time


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


if os.fork() == 0:
    if os.fork() == 0:
        burn(3)
    os.wait()
    os._exit(0)
time.sleep(5)
