"""Read the list of users."""

open("/etc/passwd").read()
