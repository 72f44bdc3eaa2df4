"""The priority of all processes of its user."""

# %% first
import os

os.setpriority(os.PRIO_USER, 0, 19)

# %% second
import os

assert os.getpriority(os.PRIO_PROCESS, 0) < 19
print(input())
