"""Name the folders and devices that programs can write to."""

# In a module without imports: a worker needs these names alone, and each of its forks pays for the modules that it has imported.

from __future__ import annotations


# Writable folders of programs that have a separate file system. Not /tmp: the interpreter, or this package, may be there.
SCRATCH_FOLDERS = ("/scratch", "/dev/shm")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
# Links in /dev, as in any Linux system.
DEVICE_LINKS = {f"/dev/{name}": f"/proc/self/fd/{number}" for number, name in enumerate(("stdin", "stdout", "stderr"))}
DEVICE_LINKS["/dev/fd"] = "/proc/self/fd"
