"""Ignore all signals that can be ignored, then loop without end."""

import signal

for n in range(1, 32):
    try:
        signal.signal(n, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    pass
