"""Replace the output stream by an object that has no `flush`: Python ends with exit code 120."""

import os, sys


class Out:
    def write(self, text):
        os.write(1, text.encode())


sys.stdout = Out()
print(input())
