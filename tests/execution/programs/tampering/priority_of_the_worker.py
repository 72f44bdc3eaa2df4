"""Lower the scheduling priority of the worker."""

import os

os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)
