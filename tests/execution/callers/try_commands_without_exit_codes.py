"""With SIGCHLD ignored, try a command that fails and one that works, and write the problem of each."""

import signal
import sys

from trl_rltf.execution.sandbox import command_check


signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for code in ("exit 1", f"echo {command_check.WORKED}"):
    sys.stdout.write(command_check.problem_of(["sh", "-c", code]) + "\n")
