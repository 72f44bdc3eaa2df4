"""Create a file in the folder of devices."""

open("/dev/evil", "w")
