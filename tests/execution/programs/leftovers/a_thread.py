"""Leave a thread."""

import threading

assert threading.active_count() == 1
t = threading.Thread(target=lambda: print(input()))
t.start()
