"""Make the requests of ioctl(2) that ordinary programs make, and print their results."""

import fcntl
import os
import struct
import termios

read, write = os.pipe()
os.write(write, b"12345")
print(struct.unpack("i", fcntl.ioctl(read, termios.FIONREAD, bytes(4)))[0])
fcntl.ioctl(read, termios.FIONCLEX)
print(os.get_inheritable(read))
fcntl.ioctl(read, termios.FIOCLEX)
os.set_blocking(read, False)
print(os.get_inheritable(read), os.get_blocking(read), os.isatty(0))
try:
    os.get_terminal_size(0)
except OSError as error:
    print(error.errno == 25)  # the error for any file that is not a terminal
