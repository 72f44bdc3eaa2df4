"""Change mode and times of devices, and print those that could be changed."""

import os

devices = ("null", "zero", "urandom", "tty", "pts", "pts/ptmx")
# The mode that they have, in case the change is not refused. Any user who may write can set times to now.
times = None if input() == "now" else (7, 7)
for path in (*(f"/dev/{name}" for name in devices), "/proc/sys/kernel/ostype"):
    for call in (lambda path: os.chmod(path, os.stat(path).st_mode & 0o777), lambda path: os.utime(path, times)):
        try:
            call(path)
            print(path)
        except OSError:
            pass
with open("/dev/null", "w") as file:
    file.write("x")
