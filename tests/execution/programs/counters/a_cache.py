"""Count the runs in a cache."""

import functools

f = functools.lru_cache(len)
f("a")
print(f.cache_info().currsize)
