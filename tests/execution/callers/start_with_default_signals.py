"""
Start an interpreter in which no signal is ignored or blocked, and run the code that the argument holds.

A shell that starts the tests in the background, and `nohup`, have some signals ignored.
"""

import os
import signal
import sys


for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, [])
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
