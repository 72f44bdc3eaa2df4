"""Ask to be told of changes in folders, and print the results."""

import ctypes

libc = ctypes.CDLL(None)
print(libc.inotify_init(), libc.inotify_init1(0), libc.inotify_add_watch(0, b"/", 256), libc.fanotify_init(0, 0))
