"""Start a thread that the interpreter waits for at its end."""

import threading, time

threading.Thread(target=time.sleep, args=(300,)).start()
