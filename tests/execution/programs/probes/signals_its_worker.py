"""Send signals to the worker process in every way there is."""

import ctypes
import fcntl
import os
import signal
import time

libc, worker = ctypes.CDLL(None, use_errno=True), os.getppid()


def own_and_signal():
    read, write = os.pipe()
    fcntl.fcntl(read, 10, signal.SIGKILL)
    fcntl.fcntl(read, fcntl.F_SETOWN, worker)
    fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC)
    os.write(write, b"x")


calls = [
    lambda: os.kill(worker, signal.SIGKILL),
    lambda: os.kill(worker, signal.SIGSTOP),
    lambda: os.killpg(worker, signal.SIGKILL),
    lambda: libc.syscall(200, worker, 9),
    lambda: libc.tgkill(worker, worker, 9),
    lambda: signal.pidfd_send_signal(os.pidfd_open(worker), signal.SIGKILL),
    own_and_signal,
]
for call in calls:
    try:
        call()
    except OSError:
        pass
time.sleep(0.1)
try:
    os.kill(
        -1, 0
    )  # asks whether a signal to all could be sent, and sends none; in a namespace, there is no other process
except OSError:
    raise KeyError
raise IndexError
