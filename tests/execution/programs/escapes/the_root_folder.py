"""Create a file in the root folder."""

open("/evil", "w")
