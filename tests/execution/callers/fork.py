"""Grade a program, fork, and grade another one in both processes: each has workers that are not the other's."""

import os
import sys

from trl_rltf.execution import LocalRunner, Outcome, Program


tests = {"inputs": ["1"], "outputs": ["1"]}
runner = LocalRunner(num_workers=1, allow_code_eval=True)
runner.run([Program("print(input())", tests)])
pid = os.fork()
report = runner.run([Program("print(input())  # again", tests)])[0]
assert report.outcome is Outcome.PASS
runner.close()
if pid == 0:
    os._exit(0)
sys.exit(os.waitpid(pid, 0)[1])
