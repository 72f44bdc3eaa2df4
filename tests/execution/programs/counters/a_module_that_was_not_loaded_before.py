"""Count the runs in a module that was not loaded before."""

import fractions

fractions.n = getattr(fractions, "n", 0) + 1
print(fractions.n)
