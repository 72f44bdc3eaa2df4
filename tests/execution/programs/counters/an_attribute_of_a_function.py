"""Count the runs in an attribute of a function."""

import textwrap

d = textwrap.dedent
d.n = getattr(d, "n", 0) + 1
print(d.n)
