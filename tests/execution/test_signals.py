"""Signals that the caller ignores or blocks are no concern of programs: they start as in a fresh interpreter."""

import subprocess
import sys

import pytest
from conftest import ISOLATIONS
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.execution import Outcome, Program


CHANGES = {
    "ignores SIGCHLD": "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
    "ignores all": (
        "for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:\n    try:\n"
        "        signal.signal(number, signal.SIG_IGN)\n    except (OSError, ValueError):\n        pass"
    ),
    "blocks all": "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())",
}
LOOK = """
import signal
handlers = {number: signal.getsignal(number) for number in sorted(signal.valid_signals())}
print({int(number): getattr(handler, 'name', 'a handler') for number, handler in handlers.items()})
print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""
# A shell that starts the tests in the background, and `nohup`, have some signals ignored.
START_FRESH = """
import os, signal, sys
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, [])
os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])
"""
USE = """
import os, signal, subprocess, time
signal.signal(signal.SIGALRM, lambda *_: print('alarm'))
signal.setitimer(signal.ITIMER_REAL, 0.01)
time.sleep(0.1)
print(subprocess.run(['false']).returncode)
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)
except KeyboardInterrupt:
    print('interrupted')
"""
CALLER = """
import os, signal, sys
{change}
from trl_rltf.execution import *
with LocalRunner(num_workers=1, isolation={isolation!r}, allow_code_eval=True) as local:
    programs = [Program(source, {{'inputs': [''], 'outputs': ['']}}) for source in {sources!r}]
    for report in local.run(programs):
        print(report.stdout, end='')
    os.kill(local._pool.workers[0].process.pid, signal.SIGKILL)
    print(local.run([Program({good!r}, {tests!r})])[0].outcome.name)
"""


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_programs_have_the_signals_of_a_fresh_interpreter(change, isolation):
    command = [sys.executable, "-c", START_FRESH, LOOK]
    fresh = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    code = CALLER.format(
        change=CHANGES[change], isolation=isolation, sources=[LOOK, USE], good=SUM_PROGRAM, tests=SUM_TESTS
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90)
    assert result.stdout == f"{fresh}alarm\n1\ninterrupted\nPASS\n", result.stderr


def test_a_caller_that_gets_no_exit_codes_still_learns_which_commands_work():
    """With SIGCHLD ignored, Python takes the exit code of any process for 0."""
    code = (
        "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "from trl_rltf.execution.sandbox import trial\nprint(trial.problem_of(['sh', '-c', 'exit 1']))\n"
        "print(trial.problem_of(['sh', '-c', f'echo {trial.WORKED}']))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout == "it printed nothing\n\n"


def test_an_interrupt_of_its_own_is_a_keyboard_interrupt(any_runner):
    source = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(1)\n" + SUM_PROGRAM
    report = any_runner.run([Program(source, SUM_TESTS)])[0]
    assert (report.outcome, report.error_type) == (Outcome.RUNTIME_ERROR, "KeyboardInterrupt")
