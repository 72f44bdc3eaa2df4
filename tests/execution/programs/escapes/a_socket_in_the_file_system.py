"""Connect to the socket of a service in the file system."""

import socket

socket.socket(socket.AF_UNIX).connect("/var/run/docker.sock")
