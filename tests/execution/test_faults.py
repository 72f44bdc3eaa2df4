"""When something fails around the programs, nothing hangs, nothing stays, and what was graded is kept."""

import contextlib
import gc
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from processes import busy_worker_pids, descendants, wait_until
from programs import source
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.execution import GradingInterrupted, LocalRunner, Outcome, Program, SandboxError, Verdict


CALLERS = Path(__file__).parent / "callers"
SLEEPER = "import time\ntime.sleep(60)\n"


def good(number):
    return Program(f"{SUM_PROGRAM}# {number}", SUM_TESTS)


@pytest.fixture
def fresh(any_runner):
    """A runner for one test, whose workers may be harmed."""
    with LocalRunner(num_workers=2, timeout=2.0, isolation=any_runner.sandbox.name) as local:
        yield local


def test_killed_workers_and_their_programs_are_replaced_again_and_again(fresh):
    fresh.run([good(0)])
    programs = [Program(f"import time\ntime.sleep(0.1)\n{SUM_PROGRAM}# {i}", SUM_TESTS) for i in range(12)]
    future = fresh.submit(programs)
    killed = set()
    while not future.done() and len(killed) < 4:
        for pid in [pid for pid in busy_worker_pids(fresh) if pid not in killed][:1]:
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    reports = future.result(timeout=60)
    assert len(killed) >= 2
    assert {report.outcome for report in reports} <= {Outcome.PASS, Outcome.NOT_GRADABLE}
    # A program is given up when two workers have died under it.
    assert 2 * sum(report.outcome is Outcome.NOT_GRADABLE for report in reports) <= len(killed)
    assert {report.outcome for report in fresh.run([good(i) for i in range(4)])} == {Outcome.PASS}


def test_the_first_process_inside_the_namespaces_may_die_too(fresh):
    fresh.run([good(0)])
    inner = [process for process in descendants() if process.children() == []]
    for process in inner:
        process.kill()
    assert {report.outcome for report in fresh.run([good(i) for i in range(4)])} == {Outcome.PASS}


def test_a_program_that_fills_its_disk_leaves_room_for_the_next(any_runner):
    fills = Program(source("probes", "fills_its_disk"), {"inputs": [""], "outputs": ["28"]})
    writes = Program(f"open('x', 'w').write('x' * 1000)\n{SUM_PROGRAM}", SUM_TESTS)
    with LocalRunner(num_workers=1, isolation=any_runner.sandbox.name, output_limit=2**23) as local:
        reports = local.run([fills, writes])
    if any_runner.sandbox.processes:  # a separate file system, of a certain size
        assert reports[0].outcome is Outcome.PASS, reports[0]
    assert reports[1].outcome is Outcome.PASS


def test_a_program_that_uses_up_its_descriptors_harms_only_itself(any_runner):
    bad, fine = any_runner.run([Program(source("probes", "uses_up_descriptors"), SUM_TESTS), good(1)])
    assert (bad.outcome, bad.error_type) == (Outcome.RUNTIME_ERROR, "OSError")
    assert fine.outcome is Outcome.PASS


def test_a_caller_without_descriptors_gets_an_error_with_what_to_do(any_runner, short_waits):
    with LocalRunner(num_workers=1, isolation=any_runner.sandbox.name) as local:
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)
        hoard = []
        try:
            local.submit([]).result()  # the thread of the pool has its descriptors already
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, soft[1]))
            with contextlib.suppress(OSError):
                while True:
                    hoard.append(os.open(os.devnull, os.O_RDONLY))
            with pytest.raises(SandboxError, match="out of processes, memory or open files") as caught:
                local.run([good(0)])
        finally:
            for descriptor in hoard:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, soft)
        assert [report.outcome for report in caught.value.reports] == [Outcome.NOT_GRADABLE]
        assert local.run([good(0)])[0].outcome is Outcome.PASS


def test_ctrl_c_returns_the_finished_reports_and_ends_the_rest(fresh):
    graded = threading.Semaphore(0)

    def checker(text, printed, expected):
        graded.release()
        return printed == expected

    def press_ctrl_c():
        for _ in range(4):  # two programs with two tests each
            graded.acquire()
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    finished = [Program(f"{SUM_PROGRAM}# {i}", SUM_TESTS, checker=checker) for i in range(2)]
    threading.Thread(target=press_ctrl_c, daemon=True).start()
    with pytest.raises(KeyboardInterrupt) as caught:
        fresh.run([*finished, *(Program(f"{SLEEPER}# {i}", SUM_TESTS) for i in range(3))])
    assert isinstance(caught.value, GradingInterrupted)
    assert [report.outcome.name for report in caught.value.reports] == ["PASS", "PASS", *["NOT_GRADABLE"] * 3]
    assert fresh.run([good(2)])[0].outcome is Outcome.PASS


def test_closing_ends_the_programs_of_another_thread(fresh):
    future = fresh.submit([Program(SLEEPER, SUM_TESTS)])
    assert wait_until(lambda: busy_worker_pids(fresh))
    fresh.close()
    assert future.result(timeout=10)[0].outcome is Outcome.NOT_GRADABLE


def test_nothing_is_left_after_close(any_runner, scratch_root):
    before = {process.pid for process in descendants()}
    with LocalRunner(num_workers=2, timeout=0.3, isolation=any_runner.sandbox.name) as local:
        local.run([good(0), Program(source("probes", "forks_and_loops"), SUM_TESTS)])
    assert {process.pid for process in descendants()} <= before
    assert list(scratch_root.iterdir()) == []


def test_a_fork_of_the_caller_has_separate_workers(run_script):
    run_script(CALLERS / "fork.py")


def test_ranks_of_one_machine_share_its_cores(monkeypatch):
    cores = len(os.sched_getaffinity(0))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with LocalRunner() as local:
        assert local.num_workers == max(1, cores // 2)


def test_reports_stream_in_order_while_others_still_run(fresh):
    programs = [good(0), Program(SLEEPER, SUM_TESTS), good(1)]
    stream = fresh.stream(programs)
    assert next(stream).outcome is Outcome.PASS
    stream.close()  # gives up the others
    assert fresh.run([good(2)])[0].outcome is Outcome.PASS


def test_the_caller_works_while_programs_run(fresh):
    fresh.run([good(0)])
    began = time.monotonic()
    future = fresh.submit([Program(f"import time\ntime.sleep(0.3)\n{SUM_PROGRAM}", SUM_TESTS)])
    assert not future.done()
    assert future.result(timeout=20)[0].outcome is Outcome.PASS
    assert time.monotonic() - began >= 0.3


def test_calls_from_within_a_stream_do_not_wait_for_it(fresh):
    for report in fresh.stream([good(i) for i in range(4)]):
        assert report.outcome is Outcome.PASS
        assert fresh.run([good("inner")])[0].outcome is Outcome.PASS


def test_a_progress_bar_counts_programs(fresh, capsys):
    fresh.run([good(i) for i in range(3)], progress=True)
    assert "3/3" in capsys.readouterr().err


def test_stopping_at_the_first_failure_says_how_many_tests_ran():
    tests = {"fn_name": "f", "inputs": [[i] for i in range(20)], "outputs": list(range(20))}
    with LocalRunner(num_workers=1, stop_on_first_failure=True) as local:
        wrong, right = local.run(
            [Program("def f(n):\n    return n if n != 1 else 7", tests), Program("def f(n):\n    return n", tests)]
        )
    assert (right.outcome, right.num_run, right.num_passed) == (Outcome.PASS, 20, 20)
    assert (wrong.outcome, wrong.num_run, wrong.num_tests) == (Outcome.FAILURE, 3, 20)
    assert wrong.verdicts[:4] == (Verdict.PASSED, Verdict.FAILED, Verdict.PASSED, Verdict.NOT_RUN)


def test_a_program_has_a_limit_for_all_its_tests_together():
    tests = {"fn_name": "f", "inputs": [[i] for i in range(20)], "outputs": [0] * 20}
    spins = """
import time

def f(n):
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    return 0
"""
    with LocalRunner(num_workers=1, timeout=0.5, program_timeout=0.5) as local:
        report = local.run([Program(spins, tests)])[0]
    assert (report.outcome, report.error_type) == (Outcome.RUNTIME_ERROR, "TimeoutError")
    assert 3 <= report.num_passed <= 5
    assert report.num_run < 20


def test_a_checker_decides_where_several_answers_are_right():
    def is_a_divisor(text, printed, expected):
        return int(text) % int(printed) == 0

    tests = {"inputs": ["12"], "outputs": ["3"]}
    programs = [Program(f"print({n})", tests) for n in (3, 4, 5)]
    with LocalRunner(num_workers=1, checker=is_a_divisor) as local:
        assert [report.num_passed for report in local.run(programs)] == [1, 1, 0]
        # The checker of a program comes first; one that raises says so, and counts as a wrong answer.
        with pytest.warns(UserWarning, match="The checker raised ValueError"):
            report = local.run([Program("print('x')", tests)])[0]
        assert report.outcome is Outcome.FAILURE
        own = Program("print(5)", tests, checker=lambda text, printed, expected: True)
        assert local.run([own])[0].outcome is Outcome.PASS


def test_an_import_in_the_main_script_does_not_run_it_again(run_script):
    assert run_script(CALLERS / "unguarded.py").stdout.split() == ["started", "PASS"]


def test_a_checker_that_grades_or_ends_the_process_does_not_hold_up_the_others():
    with LocalRunner(num_workers=2, timeout=0.5) as local:

        def grades(text, printed, expected):
            return local.run([good("inner")])[0].outcome is Outcome.PASS

        def ends(text, printed, expected):
            sys.exit(3)

        for checker in (grades, ends):
            with pytest.warns(UserWarning, match="That counts as a wrong answer"):
                report = local.run([Program(SUM_PROGRAM, SUM_TESTS, checker=checker)])[0]
            assert report.outcome is Outcome.FAILURE
        assert local.run([good(0)])[0].outcome is Outcome.PASS


def test_a_stream_that_is_collected_in_the_thread_of_the_workers_holds_up_nothing(fresh):
    gc.disable()
    try:
        stream = fresh.stream([good(0), Program(SLEEPER, SUM_TESTS)])
        next(stream)
        cycle = [stream]
        cycle.append(cycle)
        del stream, cycle
        checker = Program(SUM_PROGRAM, SUM_TESTS, checker=lambda *_: gc.collect() >= 0)
        assert fresh.submit([checker]).result(timeout=30)[0].outcome is Outcome.PASS
    finally:
        gc.enable()


def test_all_outputs_of_a_program_together_are_bounded():
    tests = {"inputs": [str(i) for i in range(24)], "outputs": ["1"] * 24}
    with LocalRunner(num_workers=1, output_limit=2**20) as local:
        report = local.run([Program("print('x' * 1_000_000)", tests)])[0]
    assert (report.outcome, report.error_type) == (Outcome.RUNTIME_ERROR, "OutputLimitExceeded")
    assert report.verdicts[0] is Verdict.FAILED


def test_processes_that_flee_do_not_outlive_a_runner_that_is_closed(any_runner, scratch_root):
    flees = Program(source("probes", "flees"), {"inputs": [""], "outputs": [""]})
    with LocalRunner(num_workers=1, timeout=20.0, isolation=any_runner.sandbox.name) as runner:
        runner.run([good(0)])
        before = {process.pid for process in descendants()}
        future = runner.submit([flees])
        assert wait_until(lambda: len({process.pid for process in descendants()} - before) > 5)
        time.sleep(0.2)
        fleeing = {process.pid for process in descendants()} - before
    # On a slow machine the program reaches the limit of processes before the runner is closed.
    assert future.result()[0].outcome in (Outcome.NOT_GRADABLE, Outcome.RUNTIME_ERROR)

    def left():
        work_there = {int(name) for name in os.listdir("/proc") if name.isdigit() and works_in(name, scratch_root)}
        return work_there | {process.pid for process in descendants() if process.pid in fleeing}

    wait_until(lambda: not left(), seconds=3)  # what was killed may not have ended yet
    assert not left()


def works_in(pid, folder):
    """Whether a process has its working folder below this one."""
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd")).is_relative_to(folder)
    except OSError:
        return False
