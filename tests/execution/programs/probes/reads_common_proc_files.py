"""Print whether the files of /proc that ordinary programs read have any content."""

for name in ("cpuinfo", "meminfo", "loadavg", "uptime", "stat", "self/status", "mounts", "version"):
    print(bool(open("/proc/" + name).read()))
