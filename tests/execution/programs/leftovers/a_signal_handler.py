"""Leave a signal handler."""

import signal

assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
signal.signal(signal.SIGUSR1, print)
print(input())
