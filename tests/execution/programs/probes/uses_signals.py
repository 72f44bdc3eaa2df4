"""Use an alarm, the end of a child and an interrupt."""

import os
import signal
import subprocess
import time

signal.signal(signal.SIGALRM, lambda *_: print("alarm"))
signal.setitimer(signal.ITIMER_REAL, 0.01)
time.sleep(0.1)
print(subprocess.run(["false"]).returncode)
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)
except KeyboardInterrupt:
    print("interrupted")
