"""Register an exit handler that loops without end."""

import atexit


@atexit.register
def f():
    while True:
        pass
