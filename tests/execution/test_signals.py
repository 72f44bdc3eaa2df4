"""Signals that the caller ignores or blocks do not reach programs: they start as in a fresh interpreter."""

from pathlib import Path

import pytest
from conftest import ISOLATIONS
from programs import source
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.execution import Outcome, Program


CALLERS = Path(__file__).parent / "callers"


@pytest.fixture(scope="session")
def fresh_signals(run_script):
    """The signals of an interpreter whose parent neither ignores nor blocks any."""
    return run_script(CALLERS / "start_with_default_signals.py", source("probes", "prints_its_signals")).stdout


@pytest.mark.parametrize("change", ["ignore_sigchld", "ignore_all", "block_all"])
@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_programs_have_the_signals_of_a_fresh_interpreter(change, isolation, fresh_signals, run_script):
    programs = [source("probes", name) for name in ("prints_its_signals", "uses_signals")]
    result = run_script(CALLERS / "grade_with_changed_signals.py", change, isolation, *programs)
    assert result.stdout == f"{fresh_signals}alarm\n1\ninterrupted\nPASS\n", result.stderr


def test_a_caller_that_gets_no_exit_codes_still_learns_which_commands_work(run_script):
    """With SIGCHLD ignored, Python takes the exit code of any process for 0."""
    result = run_script(CALLERS / "try_commands_without_exit_codes.py")
    assert result.stdout == "it printed nothing\n\n"


def test_an_interrupt_by_the_program_is_a_keyboard_interrupt(any_runner):
    interrupts = f"import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(1)\n{SUM_PROGRAM}"
    report = any_runner.run([Program(interrupts, SUM_TESTS)])[0]
    assert (report.outcome, report.error_type) == (Outcome.RUNTIME_ERROR, "KeyboardInterrupt")
