"""Define `found`, which tells whether a certain number is anywhere in the memory of this process."""

import re


def found():
    marker = re.compile(rb"9[1]8[2]7[3]6[4]5")  # the search must not find itself
    for line in open("/proc/self/maps"):
        area = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
        if area and "[v" not in line:
            start, end = (int(x, 16) for x in area.groups())
            with open("/proc/self/mem", "rb", 0) as memory:
                memory.seek(start)
                if marker.search(memory.read(end - start)):
                    return True
    return False
