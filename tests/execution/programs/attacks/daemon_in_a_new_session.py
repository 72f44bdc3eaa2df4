"""Leave a daemon: a grandchild in a new session, whose parent has ended."""

import os, time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(300)
    os._exit(0)
