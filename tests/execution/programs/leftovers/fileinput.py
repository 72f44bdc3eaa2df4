"""Leave a global reader of `fileinput` that is still open."""

import fileinput

for line in fileinput.input():
    print(line.strip())
    break
