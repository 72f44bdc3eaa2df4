"""Write records of success to each descriptor, then end."""

import json, os

for fd in range(3, 64):
    for i in range(3):
        try:
            os.write(fd, json.dumps({"kind": "done", "test": i, "values": []}).encode() + b"\n")
            os.write(fd, b"\n{]\n" + json.dumps([1]).encode() + b"\n")
        except OSError:
            pass
os._exit(0)
