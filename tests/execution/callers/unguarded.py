"""A script without `if __name__ == "__main__"`: it writes one line when it starts, and one with the outcome."""

import sys

from trl_rltf.execution import LocalRunner, Program


sys.stdout.write("started\n")
with LocalRunner(num_workers=2, allow_code_eval=True) as runner:
    report = runner.run([Program("print(input())", {"inputs": ["1"], "outputs": ["1"]})])[0]
sys.stdout.write(report.outcome.name + "\n")
