"""Connect to an address of the internet."""

import socket

socket.socket().connect(("1.1.1.1", 80))
