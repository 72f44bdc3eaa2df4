"""Leave a sleeping child in a new session."""

import os, time

if os.fork() == 0:
    os.setsid()
    time.sleep(300)
