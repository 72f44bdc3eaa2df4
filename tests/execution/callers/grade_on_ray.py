"""
Grade programs on a Ray cluster: until Ctrl-C, or with the graders of another process.

    python grade_on_ray.py ADDRESS interrupted
    python grade_on_ray.py ADDRESS {disconnected,forked}
    python grade_on_ray.py ADDRESS shared NAME

`interrupted` writes a line when programs run, and then the outcomes that the error holds. `shared` writes the processes that
compared the answers, waits for a line, and grades once more. `disconnected` and `forked` grade without the connection to Ray, and
then with it.
"""

import os
import re
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

from trl_rltf.execution import GradingInterrupted, Program, SandboxError
from trl_rltf.execution.ray import RayRunner


TESTS = {"inputs": [""], "outputs": ["3"]}
address, action, *names = sys.argv[1:]
folder = Path(tempfile.mkdtemp())


def record_process(given, answer, expected):
    (folder / str(os.getpid())).touch()
    return True


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def wait_for_reports() -> None:
    while len(list(folder.iterdir())) < 4:
        threading.Event().wait(0.05)
    threading.Event().wait(1.0)  # for the reports to arrive
    say("grading")


runner = RayRunner(
    address,
    num_cpus=0,
    num_workers=1,
    batch_size=1,
    max_concurrent_batches=1,  # else a program that prints may wait for one that sleeps
    timeout=1.0,
    wall_timeout=60.0 if action == "interrupted" else None,
    allow_code_eval=True,
    name=names[0] if names else None,
)
if action == "interrupted":

    def count(given, answer, expected):
        (folder / answer.strip()).touch()
        return True

    programs = [Program(f"print({i})", TESTS, count) for i in range(4)]
    programs += [Program(f"import time\ntime.sleep(50)  # {i}", TESTS) for i in range(40)]
    threading.Thread(target=wait_for_reports, daemon=True).start()
    try:
        runner.run(programs)
    except GradingInterrupted as error:
        found = Counter(report.outcome.name for report in error.reports)
        say(f"{type(error).__name__}: " + ", ".join(f"{number} {name}" for name, number in found.items()))
elif action == "disconnected":
    import ray

    ray.shutdown()
    try:
        runner.run([Program("print(3)", TESTS)])
    except SandboxError as error:
        say(f"{type(error).__name__}: {re.findall('no longer connected', str(error))[0]}")
    say(runner.run([Program("print(3)", TESTS)])[0].outcome.name)
elif action == "forked":
    pid = os.fork()
    if pid == 0:
        try:
            runner.run([Program("print(3)", TESTS)])
        except SandboxError as error:
            say(f"{type(error).__name__}: {re.findall('forked', str(error))[0]}")
        os._exit(0)
    os.waitpid(pid, 0)
    say(runner.run([Program("print(3)", TESTS)])[0].outcome.name)
else:
    runner.run([Program(f"print({i})", TESTS, record_process) for i in range(100)])
    say(" ".join(path.name for path in folder.iterdir()))
    sys.stdin.readline()
    say(runner.run([Program("print(3)", TESTS)])[0].outcome.name)
runner.close()
