"""Fork, move the child into a new session, and loop in both processes."""

import os

if os.fork() == 0:
    os.setsid()
while True:
    pass
