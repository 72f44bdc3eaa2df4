"""Print a wrong answer that starts with the right one."""

print("3" * 10)
