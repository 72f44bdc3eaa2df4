"""Print in a thread that starts a little later."""

import threading

t = threading.Timer(0.05, lambda: print(input()))
t.start()
