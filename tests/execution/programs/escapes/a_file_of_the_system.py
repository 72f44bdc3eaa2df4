"""Create a file in a folder of the system."""

open("/usr/evil", "w")
