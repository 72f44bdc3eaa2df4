"""Limits of one program replace those of its runner: real programs on either side of each limit."""

import pytest
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.execution import LocalRunner, Outcome, Program, Verdict
from trl_rltf.execution.host import worker_handle
from trl_rltf.execution.limits import problem_limits


DONE = {"inputs": [""], "outputs": ["done"]}
BUSY = "import time\nwhile time.process_time() < 0.4:\n    pass\nprint('done')"
SLEEPS = "import time\ntime.sleep({seconds})\nprint('done')"
ALLOCATES = "memory = bytearray({mib} * 2**20)\nprint('done')"


def runner_of(any_runner, **limits):
    return LocalRunner(num_workers=1, isolation=any_runner.sandbox.name, **limits)


def test_a_program_may_have_more_time_than_its_runner_gives_or_less():
    with LocalRunner(num_workers=1, timeout=0.2, wall_timeout=60.0, isolation="process") as local:
        short, long = local.run([Program(BUSY, DONE), Program(BUSY, DONE, timeout=2)])
    assert short.error_message == "the test used more than 0.2 s of CPU time (`timeout`)"
    assert long.outcome is Outcome.PASS
    with LocalRunner(num_workers=1, timeout=5.0, wall_timeout=60.0, isolation="process") as local:
        short, long = local.run([Program(BUSY, DONE, timeout=0.1), Program(BUSY, DONE)])
    assert (short.verdicts, short.error_type) == ((Verdict.TIMEOUT,), "TimeoutError")
    assert short.error_message == "the test used more than 0.1 s of CPU time (`timeout`)"
    assert short.cpu_seconds < 0.4
    assert long.outcome is Outcome.PASS


def test_the_elapsed_time_of_a_test_is_three_times_its_own_limit():
    with LocalRunner(num_workers=1, timeout=5.0, isolation="process") as local:
        tests = {"inputs": ["", ""], "outputs": ["done", "done"]}
        short, long = local.run([Program(SLEEPS.format(seconds=s), tests, timeout=0.4) for s in (4, 0.3)])
    assert short.error_message == "the test took longer than 1.2 s (`wall_timeout`)"
    assert long.outcome is Outcome.PASS


def test_the_elapsed_time_that_a_runner_was_given_holds_for_all_programs():
    with LocalRunner(num_workers=1, timeout=5.0, wall_timeout=1.5, isolation="process") as local:
        reports = local.run(
            [Program(SLEEPS.format(seconds=s), DONE, timeout=limit) for s, limit in ((0.8, 0.1), (4, 9.0))]
        )
    assert reports[0].outcome is Outcome.PASS
    assert reports[1].error_message == "the test took longer than 1.5 s (`wall_timeout`)"


def test_all_tests_together_have_the_time_of_the_program():
    source = "import time\ndef f(n):\n    began = time.process_time()\n    while time.process_time() - began < 0.3:\n        pass\n    return n"
    tests = {"fn_name": "f", "inputs": [[0], [1], [2]], "outputs": [0, 1, 2]}
    with LocalRunner(num_workers=1, timeout=0.1, isolation="process") as local:
        (report,) = local.run([Program(source, tests, timeout=1.0)])
    assert report.num_passed == 3  # 0.9 s, where the runner gives 0.1 * (3 + 1) s


def test_a_worker_that_is_silent_for_the_time_of_its_program_is_not_considered_hung(monkeypatch):
    monkeypatch.setattr(worker_handle, "_GRACE_SECONDS", 0.1)
    with LocalRunner(num_workers=1, timeout=0.1, isolation="process") as local:
        local.run([Program(SUM_PROGRAM, SUM_TESTS, timeout=5.0)])  # the worker has started
        (report,) = local.run([Program(SLEEPS.format(seconds=2.5), DONE, timeout=5.0)])
    assert report.outcome is Outcome.PASS


@pytest.mark.parametrize(("mib", "limit", "error"), [(32, 64, None), (96, 64, "MemoryError"), (96, 1024, None)])
def test_a_program_has_its_own_memory(any_runner, mib, limit, error):
    (report,) = any_runner.run([Program(ALLOCATES.format(mib=mib), DONE, memory_limit=limit * 2**20)])
    assert report.error_type == error, report
    if error:
        assert report.error_message == "a process may use 67108864 bytes (`memory_limit`)"


@pytest.mark.parametrize(("mib", "limit", "error"), [(300, 512, None), (300, None, "MemoryError")])
def test_a_program_may_have_more_memory_than_its_runner_gives(any_runner, mib, limit, error):
    # The limit of this runner is 256 MiB.
    memory_limit = None if limit is None else limit * 2**20
    # With time: a machine that is short of memory takes seconds for 300 MiB.
    (report,) = any_runner.run([Program(ALLOCATES.format(mib=mib), DONE, timeout=10, memory_limit=memory_limit)])
    assert report.error_type == error, report


def test_the_memory_of_a_program_is_not_that_of_the_next(any_runner):
    with runner_of(any_runner, memory_limit=2**28) as local:
        sizes = [(2**26, 128), (None, 128), (2**29, 384), (None, 384), (2**26, 32)]
        reports = local.run([Program(ALLOCATES.format(mib=mib), DONE, memory_limit=m) for m, mib in sizes])
    assert [r.outcome is Outcome.PASS for r in reports] == [False, True, True, False, True]


RAISES_ITS_LIMIT = """\
import resource, subprocess
for wanted in ((-1, -1), (2**31, 2**31), (2**27 + 1, 2**27 + 1)):
    try:
        resource.setrlimit(resource.RLIMIT_AS, wanted)
    except (ValueError, OSError):
        continue
    print("raised to", wanted)
print(resource.getrlimit(resource.RLIMIT_AS))
"""


@pytest.mark.parametrize("memory_limit", [2**27, None])
@pytest.mark.parametrize("process_per_test", [False, True])
def test_a_program_cannot_raise_its_memory(any_runner, memory_limit, process_per_test):
    tests = {"inputs": ["", ""], "outputs": [f"({2**27}, {2**27})"] * 2}
    with runner_of(any_runner, memory_limit=2**27, process_per_test=process_per_test) as local:
        (report,) = local.run([Program(RAISES_ITS_LIMIT, tests, memory_limit=memory_limit)])
    assert report.outcome is Outcome.PASS, report


FUNCTION = "import resource\ndef f():\n    return list(resource.getrlimit(resource.RLIMIT_AS))"
LIMIT = 3 * 2**26


@pytest.mark.parametrize(
    "tests",
    [
        {"fn_name": "f", "inputs": [[]], "outputs": [[LIMIT, LIMIT]]},
        {"asserts": [f"assert f() == [{LIMIT}, {LIMIT}]"]},
        {"asserts": [f"limits = f()\nassert limits == [{LIMIT}, {LIMIT}]"]},
    ],
    ids=["call", "expression", "referee"],
)
def test_functions_run_with_the_memory_of_their_program(any_runner, tests):
    (report,) = any_runner.run([Program(FUNCTION, tests, memory_limit=LIMIT)])
    assert report.outcome is Outcome.PASS, report


def test_a_process_that_a_program_starts_has_the_memory_of_the_program(any_runner):
    source = "import os, resource\nif os.fork() == 0:\n    print(resource.getrlimit(resource.RLIMIT_AS), flush=True)\n    os._exit(0)\nos.wait()"
    tests = {"inputs": [""], "outputs": [f"({LIMIT}, {LIMIT})"]}
    assert any_runner.run([Program(source, tests, memory_limit=LIMIT)])[0].outcome is Outcome.PASS


def test_equal_programs_with_different_limits_are_graded_separately(runner):
    limits = [{"timeout": 0.1}, {"timeout": 3.0}, {}, {"memory_limit": 2**26}, {"timeout": 0.1}]
    source = f"{BUSY}\n{ALLOCATES.format(mib=96)}"
    tests = {"inputs": [""], "outputs": ["done\ndone"]}
    reports = runner.run([Program(source, tests, **one) for one in limits])
    assert [r.error_type for r in reports] == ["TimeoutError", None, None, "MemoryError", "TimeoutError"]
    assert reports[0] is reports[4]  # equal in all: graded once


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"timeout": 0}, "program 1: `timeout` is 0, but must be a number of seconds above 0"),
        ({"timeout": float("nan")}, "program 1: `timeout` is nan"),
        ({"timeout": float("inf")}, r"program 1: `timeout` is inf, .* at most 10\*\*9"),
        ({"timeout": [1]}, r"program 1: `timeout` is \[1\]"),
        ({"memory_limit": 2.0**30}, "program 1: `memory_limit` is 1073741824.0, but must be a whole number"),
        ({"memory_limit": 2**63}, r"program 1: `memory_limit` is \d+, but must be .* at most 2\*\*63 - 1"),
        ({"memory_limit": 2**20}, "program 1: `memory_limit` is 1048576 bytes, but Python itself needs"),
    ],
)
def test_a_limit_out_of_range_is_refused_with_the_index_of_its_program(runner, limits, message):
    with pytest.raises(ValueError, match=message):
        runner.run([Program(SUM_PROGRAM, SUM_TESTS), Program(SUM_PROGRAM, SUM_TESTS, **limits)])


def test_limits_are_given_by_name():
    with pytest.raises(TypeError, match="positional"):
        Program(SUM_PROGRAM, SUM_TESTS, None, 1.0)


def test_the_largest_limits_work(runner):
    (report,) = runner.run([Program(SUM_PROGRAM, SUM_TESTS, timeout=10**9, memory_limit=2**63 - 1)])
    assert report.outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("row", "timeout", "memory_limit"),
    [
        ({}, None, None),
        ({"time_limit": None, "memory_limit": None}, None, None),
        ({"time_limit": 1.5, "memory_limit": 2**28}, 1.5, 2**28),
        ({"memory_limit": 268435456.0}, None, 2**28),  # a column of numbers and nulls in a table of pandas
        ({"memory_limit": 64_000_000}, None, 2**26),  # of a contest; Python needs more
    ],
)
def test_the_limits_of_a_problem_are_those_of_its_columns(row, timeout, memory_limit):
    limits = problem_limits(row)
    assert limits == {"timeout": timeout, "memory_limit": memory_limit}
    assert type(limits["memory_limit"]) is type(memory_limit)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"time_limit": -1}, "`time_limit` is -1, but must be a number of seconds above 0"),
        ({"time_limit": "2 seconds"}, "`time_limit` is '2 seconds'"),
        ({"time_limit": float("nan")}, "`time_limit` is nan"),
        ({"memory_limit": 0}, "`memory_limit` is 0, but must be a whole number above 0"),
        ({"memory_limit": 0.5}, "`memory_limit` is 0.5"),
        ({"memory_limit": True}, "`memory_limit` is True"),
        ({"memory_limit": 256.0}, r"`memory_limit` is 256, but .* For megabytes, multiply the column by 2\*\*20"),
    ],
)
def test_malformed_limits_of_a_problem_are_refused(row, message):
    with pytest.raises(ValueError, match=message):
        problem_limits(row)
