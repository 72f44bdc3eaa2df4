"""End a thread by `sys.exit`."""

import threading, sys

threading.Thread(target=sys.exit).start()
print(input())
