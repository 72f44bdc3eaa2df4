"""Print the names of tables of the kernel that can be read."""

names = (
    "buddyinfo cmdline config.gz consoles crypto diskstats interrupts iomem ioports kallsyms kcore key-users keys kmsg "
    "kpagecgroup kpagecount kpageflags locks modules pagetypeinfo partitions sched_debug slabinfo softirqs swaps "
    "timer_list vmallocinfo vmstat zoneinfo pressure/cpu tty/drivers fs/jbd2 bus/input/devices"
)
for name in names.split():
    try:
        with open("/proc/" + name, "rb", 0) as file:
            if file.read(1):
                print(name)
    except OSError:
        pass
