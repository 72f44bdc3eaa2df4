"""Lower the limit of open files of the worker."""

import os, resource

resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (24, 24))
