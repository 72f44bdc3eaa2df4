"""
Ignore or block signals, then grade programs and write their output; kill the worker, and grade with a new one.

    python grade_with_changed_signals.py {ignore_sigchld,ignore_all,block_all} ISOLATION SOURCE…
"""

import contextlib
import os
import signal
import sys


change, isolation, *sources = sys.argv[1:]
match change:
    case "ignore_sigchld":
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    case "ignore_all":
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_IGN)
    case "block_all":
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

from trl_rltf.execution import LocalRunner, Program  # noqa: E402 - a caller may have changed signals before


with LocalRunner(num_workers=1, isolation=isolation, allow_code_eval=True) as runner:
    for report in runner.run([Program(source, {"inputs": [""], "outputs": [""]}) for source in sources]):
        sys.stdout.write(report.stdout)
    os.kill(runner._pool.workers[0].process.pid, signal.SIGKILL)
    report = runner.run([Program("print(input())", {"inputs": ["1"], "outputs": ["1"]})])[0]
    sys.stdout.write(report.outcome.name + "\n")
