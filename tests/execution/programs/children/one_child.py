"""A child that uses time."""

import os, time


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


if os.fork() == 0:
    burn(3)
    os._exit(0)
os.wait()
