"""
Grade programs, and write the layers of the sandbox and then outcome and output of each program, a line of JSON each.

    python grade.py ISOLATION '[{"source": …, "tests": …}, …]'

In the input of a test, `CALLER_PID` stands for the identifier of this process.
"""

import json
import os
import sys

from trl_rltf.execution import LocalRunner, Program


isolation, programs = sys.argv[1], json.loads(sys.argv[2].replace("CALLER_PID", str(os.getpid())))
with LocalRunner(num_workers=1, isolation=isolation, allow_code_eval=True) as runner:
    reports = runner.run([Program(**program) for program in programs])
    for line in (runner.sandbox.layers, *([report.outcome.name, report.stdout] for report in reports)):
        sys.stdout.write(json.dumps(line) + "\n")
