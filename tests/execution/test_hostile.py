"""Programs that try to cheat, to harm or to stay: each gets the verdict it earned and leaves nothing behind."""

import json
import os
import subprocess
from pathlib import Path

import psutil
import pytest
from processes import adopted_orphans, busy_worker_pids, descendants, running, tree, wait_until, worker_pids
from programs import names, source
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.execution import LocalRunner, Outcome, Program
from trl_rltf.execution.sandbox.mechanisms import MECHANISMS


ADD_TESTS = {"asserts": ["assert add(1, 2) == 3", "assert add(2, 2) == 4"]}
CALLERS = Path(__file__).parent / "callers"


def good(number=0):
    """A program that passes; those of other numbers are unequal, because equal programs of a batch run once."""
    return Program(f"{SUM_PROGRAM}# {number}", SUM_TESTS)


def probe(name, printed):
    """A program of the folder `probes` that passes if it prints this text."""
    return Program(source("probes", name), {"inputs": [""], "outputs": [printed]})


# Tests of the cheats that do not face `ADD_TESTS`.
CHEATED_TESTS = {
    "a_list_that_lies_about_its_items": {"asserts": ["assert add(1, 2) == [1]"]},
    "looks_for_the_expected_value_in_all_objects": {"fn_name": "add", "inputs": [[1, 2]], "outputs": [918273]},
    "a_key_too_long_to_print": {"fn_name": "add", "inputs": [[1, 2]], "outputs": [{"1": 1}]},
    "prints_nothing_and_leaves": SUM_TESTS,
    "wrong_answer_that_grows_by_white_space": SUM_TESTS,
    "prints_a_prefix": SUM_TESTS,
    "prints_the_answer_and_more": SUM_TESTS,
    "evaluated_output": SUM_TESTS,
}
# Cheats that end with an error; all others reach their end and give a wrong answer.
CHEATS_WITH_ERRORS = {
    "closes_the_result_channel": "SystemExit",
    "forges_a_record_on_the_result_channel": "SystemExit",
    "leaves_at_once": "SystemExit",
    "leaves_before_the_asserts": "SystemExit",
    "leaves_while_loading": "NameError",
}


@pytest.mark.parametrize("name", names("cheats"))
def test_a_cheat_does_not_pass(any_runner, name):
    report = any_runner.run([Program(source("cheats", name), CHEATED_TESTS.get(name, ADD_TESTS))])[0]
    assert report.num_passed == 0
    assert report.error_type == CHEATS_WITH_ERRORS.get(name)
    assert report.outcome is (Outcome.RUNTIME_ERROR if name in CHEATS_WITH_ERRORS else Outcome.FAILURE)


ATTACKS = names("attacks")


@pytest.fixture(scope="session")
def graded_attacks(any_runner):
    """
    Two reports per attack, of itself and of the program after it, and the processes that the attacks have left.

    All attacks are one batch for each isolation, so that those that only wait do so at the same time.
    """
    before = set(tree(os.getpid()))
    limits = {"timeout": 0.3, "wall_timeout": 2.0, "memory_limit": 2**28}
    pairs = [(Program(source("attacks", name), SUM_TESTS), good(name)) for name in ATTACKS]
    with adopted_orphans(), LocalRunner(num_workers=4, isolation=any_runner.sandbox.name, **limits) as local:
        reports = local.run([program for pair in pairs for program in pair])
        workers = set(worker_pids(local))  # they stay for the next batch
        if local.sandbox.processes:  # the process that was started waits for the worker, the first of a namespace
            workers |= {child.pid for pid in workers for child in psutil.Process(pid).children()}
        left = running(set(tree(os.getpid())) - before - workers)
    return dict(zip(ATTACKS, zip(reports[::2], reports[1::2], strict=True), strict=True)), left


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_fails_and_the_next_program_passes(graded_attacks, name):
    attack, after = graded_attacks[0][name]
    assert attack.outcome in (Outcome.FAILURE, Outcome.RUNTIME_ERROR), attack
    assert after.outcome is Outcome.PASS, after


def test_attacks_leave_no_process(graded_attacks):
    assert graded_attacks[1] == []


LEAVING = ["fork_that_outlives_its_parent", "daemon_in_a_new_session", "subprocess_left_running"]


@pytest.mark.parametrize("name", LEAVING)
def test_a_worker_has_no_child_once_its_program_has_ended(any_runner, name):
    any_runner.run([Program(source("attacks", name), SUM_TESTS), good()])
    for pid in worker_pids(any_runner):
        commands = [" ".join(process.cmdline()) for process in descendants(pid)]
        # Under bubblewrap the worker itself is a child of `bwrap`; apart from it there is none.
        assert all("trl_rltf.execution.worker" in command for command in commands), commands
        assert len(commands) <= 1


def test_secrets_of_the_environment_are_not_inherited(any_runner, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with LocalRunner(num_workers=1, isolation=any_runner.sandbox.name) as fresh:
        report = fresh.run([probe("looks_for_secrets", "False False")])[0]
    assert report.outcome is Outcome.PASS, report.stdout


def test_the_memory_limit_is_a_memory_error_not_a_dead_machine(any_runner):
    report = any_runner.run([Program("x = bytearray(10**9)", SUM_TESTS)])[0]
    assert report.error_type == "MemoryError"


def test_too_much_output_is_named(any_runner):
    report = any_runner.run([Program(source("attacks", "200_mb_of_output_in_c"), SUM_TESTS)])[0]
    assert report.error_type == "OutputLimitExceeded"


def test_files_of_one_program_are_gone_for_the_next(single_runner):
    first, second = single_runner.run(
        [probe("writes_files_and_a_closed_folder", "3"), probe("lists_its_folder", "[]")]
    )
    assert first.outcome is Outcome.PASS, first
    assert second.outcome is Outcome.PASS, second.stdout


def test_scratch_folders_are_removed_on_close(scratch_root):
    with LocalRunner(num_workers=1, isolation="process") as local:
        local.run([Program("open('x', 'w').write('x')", SUM_TESTS)])
        (folder,) = scratch_root.iterdir()
    assert not folder.exists()


@pytest.mark.parametrize("name", names("escapes"))
def test_a_sealed_program_cannot_reach(sealed_runner, name):
    if name.startswith("system_call") and os.uname().machine != "x86_64":
        pytest.skip("the numbers are those of x86-64")
    bad, after = sealed_runner.run([Program(source("escapes", name), SUM_TESTS), good()])
    assert bad.outcome is Outcome.RUNTIME_ERROR, bad
    assert bad.error_type in (
        "OSError",
        "FileNotFoundError",
        "PermissionError",
        "KeyError",
        "ProcessLookupError",
        "ModuleNotFoundError",
        "SIGKILL",  # of the process that its tests are forked from, and of the test with it
    )
    assert after.outcome is Outcome.PASS


def test_the_test_data_is_not_readable_inside(sealed_runner, shared_data):
    path = str(shared_data / "mbpp" / "mbpp.jsonl")
    report = sealed_runner.run([Program(f"print(open({path!r}).read())", SUM_TESTS)])[0]
    assert report.error_type in ("FileNotFoundError", "PermissionError")


def test_a_killed_worker_is_replaced_and_its_program_runs_again():
    with LocalRunner(num_workers=1, timeout=5, isolation="process") as local:
        local.run([good()])
        (first,) = worker_pids(local)
        future = local.submit([Program(f"import time\ntime.sleep(0.5)\n{SUM_PROGRAM}", SUM_TESTS)])
        assert wait_until(lambda: busy_worker_pids(local))
        os.kill(first, 9)
        assert future.result(timeout=60)[0].outcome is Outcome.PASS
        assert worker_pids(local) != [first]


def test_a_program_whose_worker_dies_twice_is_not_gradable():
    with LocalRunner(num_workers=1, timeout=20, isolation="process") as local:
        local.run([good(0)])
        future = local.submit([Program("import time\ntime.sleep(20)", SUM_TESTS), good(1)])
        killed = []
        while len(killed) < 2:
            assert wait_until(lambda: busy_worker_pids(local) not in ([], killed[-1:]))
            killed.extend(busy_worker_pids(local))
            os.kill(killed[-1], 9)
        bad, after = future.result(timeout=60)
    assert bad.outcome is Outcome.NOT_GRADABLE
    assert "died twice" in bad.error_message
    assert after.outcome is Outcome.PASS


def test_workers_end_when_their_parent_is_killed(start_script):
    sleeps = "import time\ntime.sleep(300)"
    parent = start_script(CALLERS / "wait_for_program.py", "auto", 2, sleeps, stdin=subprocess.PIPE)
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(workers) == 2
    idle = {pid for worker in workers for pid in tree(worker)}
    parent.stdin.write("\n")
    parent.stdin.flush()
    assert wait_until(lambda: {pid for worker in workers for pid in tree(worker)} > idle)
    pids = [pid for worker in workers for pid in tree(worker)]
    parent.kill()
    parent.wait()
    assert wait_until(lambda: not running(pids)), running(pids)


def test_a_worker_that_hangs_is_killed_with_all_that_it_started(any_runner, short_waits):
    limits = {"timeout": 0.3, "wall_timeout": 0.3}
    with LocalRunner(num_workers=1, isolation=any_runner.sandbox.name, **limits) as local:
        local.run([good(0)])
        pids = tree(*worker_pids(local))
        for pid in pids:
            os.kill(pid, 19)  # SIGSTOP
        assert local.run([good(1)])[0].outcome is Outcome.PASS
        assert running(pids) == []


def test_an_environment_below_tmp_is_neither_emptied_nor_in_the_way(sealed_runner, virtual_environment, run_script):
    """The scratch folder is emptied after each program: the interpreter must never be in it."""
    before = files_in(virtual_environment)
    programs = json.dumps([{"source": good(number).source, "tests": SUM_TESTS} for number in range(20)])
    python = virtual_environment / "bin" / "python"
    result = run_script(CALLERS / "grade.py", sealed_runner.sandbox.name, programs, python=python)
    _, *reports = map(json.loads, result.stdout.splitlines())
    assert [outcome for outcome, _ in reports] == ["PASS"] * 20
    assert files_in(virtual_environment) == before


def files_in(folder):
    return sorted(path for path in folder.rglob("*") if path.suffix != ".pyc" and path.name != "__pycache__")


def test_temporary_files_work(any_runner):
    assert any_runner.run([probe("uses_a_temporary_file", "3")])[0].outcome is Outcome.PASS


RECORDS = {
    "an error without parts": [{"kind": "error", "test": 0}],
    "an error with parts of other types": [
        {"kind": "error", "test": 0, "type": [1], "message": {}, "position": "here"}
    ],
    "a position far outside": [{"kind": "error", "test": 0, "type": "E", "position": [10**9, 10**9, 5, -7]}],
    "a start that is no number": [{"kind": "start", "test": []}, {"kind": "done", "test": 0.0, "values": [3]}],
    "a test that does not exist": [{"kind": "done", "test": 99, "values": [3]}, {"kind": "start", "test": -1}],
    "values that are no list": [{"kind": "done", "test": 0, "values": {"a": 1}}],
    "an empty list of values": [{"kind": "done", "test": 0, "values": []}],
    "a kind that is no text": [{"kind": ["done"]}, 7, None, "text", []],
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_forged_record_neither_passes_nor_ends_the_worker(any_runner, name):
    lines = "".join(json.dumps(record) + "\n" for record in RECORDS[name])
    forger = f"import os\nos.write(3, {lines.encode()!r})\nos._exit(0)"
    forged, honest = any_runner.run([Program(forger, ADD_TESTS), good()])
    assert forged.outcome is Outcome.RUNTIME_ERROR
    assert forged.num_passed == 0
    assert honest.outcome is Outcome.PASS


@pytest.mark.parametrize("depth", [200, 950, 100_000])
def test_values_nested_without_end_do_not_reach_the_caller(any_runner, depth):
    line = f"b'{{\"kind\": \"done\", \"test\": 0, \"values\": ' + b'[' * {depth} + b']' * {depth} + b'}}\\n'"
    report = any_runner.run([Program(f"import os\nos.write(3, {line})\nos._exit(0)", ADD_TESTS)])[0]
    assert report.outcome is Outcome.RUNTIME_ERROR


def test_a_signal_without_a_name_is_a_runtime_error(any_runner):
    report = any_runner.run([Program("import os\nos.kill(os.getpid(), 40)", SUM_TESTS)])[0]
    assert (report.outcome, report.error_type) == (Outcome.RUNTIME_ERROR, "signal 40")


def test_folders_nested_without_end_are_removed(single_runner):
    _, after = single_runner.run([probe("nests_folders", "True"), probe("lists_its_folder", "[]")])
    assert after.outcome is Outcome.PASS, after.stdout


@pytest.mark.parametrize("name", names("tampering"))
def test_a_program_that_changes_its_worker_fails_and_the_next_one_gets_a_new_worker(single_runner, name):
    if name.startswith("cores") and len(os.sched_getaffinity(0)) == 1:
        pytest.skip("there is only one core")
    bad, after = single_runner.run([Program(f"{source('tampering', name)}\n{SUM_PROGRAM}", SUM_TESTS), good()])
    # Refused where system calls are filtered; noticed, and the worker replaced, where they are not.
    assert bad.outcome is Outcome.RUNTIME_ERROR
    assert bad.error_type in ("PermissionError", "TamperingError")
    assert after.outcome is Outcome.PASS


def test_an_interrupt_sent_to_the_parent_harms_only_its_sender(any_runner):
    sender, other = any_runner.run([Program(source("probes", "interrupts_its_parent"), SUM_TESTS), good()])
    assert sender.outcome in (Outcome.PASS, Outcome.RUNTIME_ERROR)
    assert other.outcome is Outcome.PASS


def test_shared_memory_does_not_outlive_its_program(sealed_runner):
    made, seen = sealed_runner.run([probe("makes_shared_memory", "True"), probe("finds_shared_memory", "False")])
    assert made.outcome is Outcome.PASS
    assert seen.outcome is Outcome.PASS, seen.stdout


def test_the_kernel_bounds_processes_also_those_of_a_trainer_that_runs_as_root(any_runner):
    (report,) = any_runner.run([probe("becomes_root", "0")])
    user, soft, hard = map(int, report.stdout.split())
    assert soft == hard > 0
    if MECHANISMS[
        any_runner.sandbox.name
    ].changes_user():  # as root, but not in a user namespace, where there are no other ids
        assert user != 0
        assert hard < 100  # the user id is the worker's alone, so that other processes do not count
