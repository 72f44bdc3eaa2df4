"""Lower the memory limit of the worker process."""

import os, resource

resource.prlimit(os.getppid(), resource.RLIMIT_AS, (2**27, 2**27))
