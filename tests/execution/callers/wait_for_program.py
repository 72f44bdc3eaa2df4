"""
Write the identifiers of the worker processes on one line. Once a line comes in, grade a program that does not end soon.

    python wait_for_program.py ISOLATION NUM_WORKERS SOURCE
"""

import sys

from trl_rltf.execution import LocalRunner, Program


isolation, num_workers, source = sys.argv[1], int(sys.argv[2]), sys.argv[3]
tests = {"inputs": ["1", "2"], "outputs": ["1", "2"]}
runner = LocalRunner(num_workers=num_workers, isolation=isolation, timeout=100.0, allow_code_eval=True)
runner.run([Program(f"print({number})", tests) for number in range(2 * num_workers)])
sys.stdout.write(" ".join(str(worker.process.pid) for worker in runner._pool.workers) + "\n")
sys.stdout.flush()
sys.stdin.readline()
runner.run([Program(source, tests)])
