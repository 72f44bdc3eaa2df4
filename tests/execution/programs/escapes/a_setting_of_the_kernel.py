"""Open a setting of the kernel for writing."""

open("/proc/sys/kernel/core_pattern", "r+")
