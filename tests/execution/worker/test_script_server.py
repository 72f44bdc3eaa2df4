"""Each test of a script runs in a separate process, forked from the compiled script, and cannot detect the other tests."""

import textwrap
import time

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import descendants, worker_pids
from programs import cells, names, source
from support import span_at

from trl_rltf.execution import LocalRunner, Outcome, Program, Verdict


MANY = {"inputs": [f"{i}\n" for i in range(6)], "outputs": [f"{i}\n" for i in range(6)]}


# Each program of the folder `leftovers` would give other answers if a run saw what an earlier one left.
@pytest.mark.parametrize("name", names("leftovers"))
def test_a_run_does_not_see_leftovers_of_an_earlier_one(runner, name):
    report = runner.run([Program(source("leftovers", name), MANY)])[0]
    assert report.outcome is Outcome.PASS, (report.error_type, report.error_message, report.stdout)


def test_each_test_has_a_separate_verdict_and_time_limit():
    program = """
import time

n = int(input())
if n == 1:
    1 / 0
if n == 3:
    while True:
        pass
print(n if n != 4 else 'no')
end = time.process_time() + 0.15
while time.process_time() < end:
    pass
"""
    with LocalRunner(num_workers=1, timeout=0.5) as local:
        report = local.run([Program(program, MANY)])[0]
    assert report.verdicts[:5] == (
        Verdict.PASSED,
        Verdict.ERROR,
        Verdict.PASSED,
        Verdict.TIMEOUT,
        Verdict.NOT_RUN,  # once a test has run out of time, the others get less, and no verdict if that is not enough
    )
    assert report.error_type == "ZeroDivisionError"


def test_many_tests_of_fast_scripts_are_all_run(runner):
    numbers = range(100)
    tests = {"inputs": [f"{i}\n" for i in numbers], "outputs": [f"{i * i}\n" for i in numbers]}
    report = runner.run([Program("n = int(input())\nprint(n * n if n != 77 else 0)", tests)])[0]
    assert [i for i in numbers if report.verdicts[i] is Verdict.FAILED] == [77]
    assert report.num_passed == 99


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda data: data.decode("latin-1")))
def test_any_text_is_graded_in_every_format_and_never_raises(runner, script):
    tests = [
        {"inputs": ["1", "2"], "outputs": ["918273645", "1"]},
        {"fn_name": "f", "inputs": [[1]], "outputs": [918273645]},
        {"asserts": ["assert f(1) == 918273645"]},
        {"asserts": ["check(f)"], "setup": "def check(f):\n    assert f(1) == 918273645"},
    ]
    for report in runner.run([Program(script, entry) for entry in tests]):
        assert report.outcome in (Outcome.SYNTAX_ERROR, Outcome.RUNTIME_ERROR, Outcome.FAILURE)


SEARCH = source("probes", "searches_its_memory")


def test_the_expected_answer_is_nowhere_in_the_memory_of_a_program(runner):
    if runner.sandbox.name != "bubblewrap":
        pytest.skip("programs can read /proc/self/mem only under bubblewrap")
    secret = 918273645
    function = f"{SEARCH}\n\ndef f(x):\n    return found()\n"
    tests = [
        {"inputs": ["1"] * 3, "outputs": [f"{secret}"] * 3},
        {"fn_name": "f", "inputs": [[1], [2]], "outputs": [secret, [secret]]},
        {"asserts": [f"assert f(1) == {secret}", f"assert abs(f(1) - {secret}) < 1", f"assert f(1) in [{secret}]"]},
        {"asserts": ["check(f)"], "setup": f"def check(f):\n    assert f(1) == {secret}"},
        {"asserts": ["check(f)"], "setup": f"def check(f):\n    assert {secret} and f(1) is True"},
    ]
    with LocalRunner(num_workers=1, isolation="bubblewrap", timeout=20) as local:
        for _ in range(2):  # nor do the expected answers of earlier programs stay in the worker
            reports = local.run([Program(f"{function}print(found())", entry) for entry in tests])
            assert [report.num_passed for report in reports] == [0] * 5
            assert reports[0].stdout == "False\n"
        # The search itself works: it finds a number that is there.
        present = f"{SEARCH}here = '918' + str(273645)\nprint(found())"
        assert local.run([Program(present, {"inputs": ["1"], "outputs": ["True"]})])[0].outcome is Outcome.PASS


def test_a_later_program_finds_neither_programs_nor_answers_of_earlier_ones():
    """The completions of a prompt are graded by the same workers: one right program must not help a thief."""
    answer = "print('9182' + str(73645))  # 918273645"
    asked = {"inputs": ["1"], "outputs": ["918273645"]}
    called = {"fn_name": "f", "inputs": [[1]], "outputs": [918273645]}
    try:
        local = LocalRunner(num_workers=1, isolation="bubblewrap", timeout=20)
    except RuntimeError as error:
        pytest.skip(str(error))
    with local:
        for _ in range(3):
            right = [Program(answer, asked), Program("def f(x):\n    return 918273600 + 45", called)]
            assert {report.outcome for report in local.run(right)} == {Outcome.PASS}
            thief = Program(f"{SEARCH}print(found())", {"inputs": ["1"], "outputs": ["False"]})
            assert local.run([thief])[0].outcome is Outcome.PASS


@pytest.mark.parametrize("name", names("changes"))
def test_changes_of_a_program_to_its_files_end_with_it(single_runner, name):
    parts = cells("changes", name)
    (first,), (second,) = parts["first"], parts["second"]
    _, later = single_runner.run([Program(first, MANY), Program(second, {"inputs": ["7"], "outputs": ["7"]})])
    assert later.outcome is Outcome.PASS, later


def test_clocks_that_return_no_number_do_not_end_the_worker(runner):
    tests = {"fn_name": "f", "inputs": [[0], [1]], "outputs": [0, 1]}
    report = runner.run([Program(source("probes", "breaks_its_clocks"), tests)])[0]
    assert report.outcome is Outcome.PASS, report


# Each program of the folder `counters` prints 1 in a fresh interpreter, and another number if it meets an earlier run.
@pytest.mark.parametrize("name", names("counters"))
def test_a_test_finds_nothing_of_another(any_runner, name):
    tests = {"inputs": ["", "", ""], "outputs": ["1", "1", "1"]}
    first, second = any_runner.run([Program(f"{source('counters', name)}\n# {i}", tests) for i in range(2)])
    assert first.outcome is second.outcome is Outcome.PASS, (first, second)


def test_a_test_cannot_join_a_process_group_of_its_worker(any_runner):
    # Signals to the own group are not filtered. The worker leads another session, whose groups no test can join.
    tests = {"inputs": [""], "outputs": ["True"]}
    (report,) = any_runner.run([Program("import os\nprint(os.getsid(0) == os.getppid())", tests)])
    assert report.outcome is Outcome.PASS, report


def test_tests_do_not_share_their_random_numbers(runner):
    script = "import random\nprint(random.random())"
    tests = [{"inputs": [f"{i}"] * 2, "outputs": ["0", "0"]} for i in range(2)]
    seen = []
    with LocalRunner(num_workers=1, checker=lambda _, printed, __: seen.append(printed) or True) as local:
        local.run([Program(script, entry) for entry in tests])
    assert len(set(seen)) == 4


# Verdicts that the acting test may get. Acts that are not listed do not keep it from passing.
FAILS, MAY_FAIL, PASSES = {Verdict.ERROR}, {Verdict.PASSED, Verdict.ERROR}, {Verdict.PASSED}
ACTS = {
    "crashes": FAILS,
    "ends_with_a_code": FAILS,
    "kills_all": MAY_FAIL,
    "kills_its_group": FAILS,
    "kills_its_parent": FAILS,
    "leaves_a_process_that_is_waiting_for_it": MAY_FAIL,
    "replaces_what_its_parent_uses": MAY_FAIL,
    "stops_and_resumes_its_parent": MAY_FAIL,
    "stops_its_parent": FAILS,
    "terminates_its_parent": FAILS,
}


@pytest.mark.parametrize("name", names("acts"))
def test_acts_of_one_test_change_no_verdict_of_another(any_runner, name):
    """The script runs a program of the folder `acts` on input 1, and prints its input unless that ends it."""
    if name == "kills_all" and not any_runner.sandbox.processes:
        pytest.skip("this might reach other processes of the user")
    script = f"""
import os

def act():
{textwrap.indent(source("acts", name), "    ")}

n = int(input())
if n == 1:
    try:
        act()
    except PermissionError:
        os._exit(9)
print(n)
"""
    report, later = any_runner.run([Program(script, MANY), Program("print(input())", MANY)])
    assert report.verdicts[1] in ACTS.get(name, PASSES), report
    assert {*report.verdicts[:1], *report.verdicts[2:]} == {Verdict.PASSED}, report
    assert later.outcome is Outcome.PASS


def test_worker_and_descriptors_are_as_before_after_many_programs(any_runner):
    forks = "import os\nif os.fork() == 0:\n    os._exit(0)\nprint(input())"
    with LocalRunner(num_workers=1, isolation=any_runner.sandbox.name) as local:
        counts = []
        for _ in range(3):
            reports = local.run([Program(f"{forks}\n# {i}", MANY) for i in range(4)])
            assert {report.outcome for report in reports} == {Outcome.PASS}, {r.error_message for r in reports}
            (pid,) = worker_pids(local)
            processes = [psutil.Process(pid), *descendants(pid)]
            counts.append((len(processes), sum(process.num_fds() for process in processes)))
        assert counts[0] == counts[1] == counts[2]


# Programs of the folder `endings` that do not pass.
ENDINGS = {
    "exit_with_a_text": (Outcome.RUNTIME_ERROR, "SystemExit"),
    "exit_without_cleanup": (Outcome.FAILURE, None),
    "output_stream_without_flush": (Outcome.RUNTIME_ERROR, "AttributeError"),
    "closed_descriptor": (Outcome.RUNTIME_ERROR, "OSError"),
}


@pytest.mark.parametrize("name", names("endings"))
def test_a_script_ends_as_in_a_plain_interpreter(runner, run_script, name):
    script = source("endings", name)
    report = runner.run([Program(script, MANY)])[0]
    assert (report.outcome, report.error_type) == ENDINGS.get(name, (Outcome.PASS, None)), report
    plain = run_script(script, input="7\n", env={"PYTHONUNBUFFERED": ""}, check=False)
    assert (plain.returncode == 0 and plain.stdout == "7\n") == (name not in ENDINGS)


@pytest.mark.parametrize(
    "script",
    [
        "n = int(input())\nif n == 1:\n    print(1)\n    return\nprint(n)\n",
        "from math import *\nx = floor(0.5)\ndef f():\n    nonlocal x\n    x += int(input())\nf()\nprint(x)\nreturn\n",
        "\ufeffprint(input())",
        "import sys\nprint(input() if open(__file__).read() == open(sys.argv[0]).read() else 0)",
        "import inspect\ndef f():\n    return 1\nprint(input() if inspect.getsource(f) == 'def f():\\n    return 1\\n' else 0)",
        "import inspect\nclass A:\n    x = 1\nprint(input() if inspect.getsource(A) == 'class A:\\n    x = 1\\n' else 0)",
        "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    print(input() if '1 / 0' in traceback.format_exc() else 0)",
        "import os\nprint(input() if not os.listdir('.') else 0)",
    ],
)
def test_a_script_runs_as_in_a_plain_interpreter(any_runner, script):
    report = any_runner.run([Program(script, MANY)])[0]
    assert report.outcome is Outcome.PASS, (report.error_type, report.error_message)


@pytest.mark.parametrize(
    "script", ["return 1\nyield 2", "def f():\n    nonlocal y\nf()", "class A:\n    return 1", "return (1,"]
)
def test_a_script_that_is_wrong_inside_a_function_too_is_a_syntax_error(runner, script):
    assert runner.run([Program(script, MANY)])[0].outcome is Outcome.SYNTAX_ERROR


def test_spans_count_the_byte_order_mark(runner):
    report = runner.run([Program("\ufeffx = 1 / 0\ny = 2", MANY)])[0]
    assert (report.span, report.expression_span) == (span_at(1, 1, 1, 10), span_at(1, 5, 1, 10))
    report = runner.run([Program("\ufeffx = 1\ny = 1 / 0", MANY)])[0]
    assert report.span == span_at(2, 0, 2, 9)
    report = runner.run([Program("\ufeffx = 1 +\n", MANY)])[0]
    assert report.outcome is Outcome.SYNTAX_ERROR
    assert report.expression_span == span_at(1, 8, 1, 9)


def test_an_error_of_a_script_that_is_a_function_body_has_the_line_of_the_script(runner):
    report = runner.run([Program("n = int(input())\nif n > 9:\n    return\nprint(1 / 0)", MANY)])[0]
    assert (report.error_type, report.span.line, report.expression_span) == (
        "ZeroDivisionError",
        4,
        span_at(4, 6, 4, 11),
    )


BURN = "import os, time\ndef burn(seconds):\n    end = time.process_time() + seconds\n    while time.process_time() < end:\n        pass\n"


@pytest.mark.parametrize("name", names("children"))
def test_the_cpu_time_of_children_counts(runner, name):
    with LocalRunner(num_workers=1, timeout=0.4, wall_timeout=60.0, isolation=runner.sandbox.name) as local:
        report = local.run([Program(source("children", name), {"inputs": ["1"], "outputs": ["x"]})])[0]
    assert report.verdicts == (Verdict.TIMEOUT,)
    assert "0.4 s of CPU time (`timeout`)" in report.error_message
    assert 0.35 < report.cpu_seconds < 2


def test_a_program_that_keeps_to_the_limit_of_each_test_is_not_cut_off(runner):
    script = f"{BURN}burn(0.07)\nprint(input())"
    tests = {"inputs": [f"{i}" for i in range(22)], "outputs": [f"{i}" for i in range(22)]}
    with LocalRunner(num_workers=1, timeout=0.15, wall_timeout=20.0, isolation=runner.sandbox.name) as local:
        report = local.run([Program(script, tests)])[0]  # 1.5 s of CPU time, ten times the limit of one test
        assert report.outcome is Outcome.PASS
        assert report.cpu_seconds > 1.5
    with LocalRunner(
        num_workers=1, timeout=0.15, wall_timeout=20.0, program_timeout=0.5, isolation=runner.sandbox.name
    ) as local:
        report = local.run([Program(script, tests)])[0]
    assert "0.5 s of CPU time (`program_timeout`)" in report.error_message
    assert 1 <= report.num_passed <= 7


def test_all_tests_together_have_a_limit_of_elapsed_time(runner):
    tests = {"inputs": ["1"] * 15, "outputs": ["1"] * 15}
    with LocalRunner(
        num_workers=1, timeout=0.3, wall_timeout=1.0, program_timeout=1.0, isolation=runner.sandbox.name
    ) as local:
        local.run([Program("print(input())", tests)])
        began = time.monotonic()
        report = local.run([Program("import time\ntime.sleep(0.4)\nprint(input())", tests)])[0]
        took = time.monotonic() - began
    assert "longer than 1.5 s (1.5 times `program_timeout`)" in report.error_message
    assert 1 <= report.num_passed <= 3
    assert took < 5


def test_a_stop_on_the_first_failure_counts_the_time_of_earlier_groups(runner):
    tests = {"inputs": [f"{i}" for i in range(12)], "outputs": [f"{i}" for i in range(12)]}
    options = {"timeout": 0.3, "wall_timeout": 20.0, "program_timeout": 0.5, "isolation": runner.sandbox.name}
    with LocalRunner(num_workers=1, stop_on_first_failure=True, **options) as local:
        report = local.run([Program(f"{BURN}burn(0.1)\nprint(input())", tests)])[0]
    assert "(`program_timeout`)" in report.error_message
    assert report.num_passed < 7


def test_a_script_that_is_compiled_again_for_each_test_has_the_same_verdicts(runner):
    script = "import calendar\ncalendar.mdays[2] += 1\nprint(calendar.mdays[2] + int(input()))"
    tests = {"inputs": ["1", "2", "x", "3"], "outputs": ["30", "30", "x", "32"]}
    seen = []
    for each_time in (False, True):
        options = {"isolation": runner.sandbox.name, "process_per_test": each_time}
        with LocalRunner(num_workers=1, timeout=1.0, **options) as local:
            seen.append(local.run([Program(script, tests)])[0])
    passed, failed, error = Verdict.PASSED, Verdict.FAILED, Verdict.ERROR
    assert [report.verdicts for report in seen] == [(passed, failed, error, passed)] * 2


@pytest.mark.parametrize("each_time", [False, True])
def test_a_test_that_ends_by_a_signal_is_an_error_also_if_a_later_one_times_out(runner, each_time):
    script = "import os\nn = int(input())\nif n == 1:\n    os.kill(os.getpid(), 9)\nwhile n == 3:\n    pass\nprint(n)"
    tests = {"inputs": ["1", "2", "3"], "outputs": ["1", "2", "3"]}
    options = {"isolation": runner.sandbox.name, "process_per_test": each_time}
    with LocalRunner(num_workers=1, timeout=0.3, wall_timeout=20.0, **options) as local:
        report = local.run([Program(script, tests)])[0]
    assert report.verdicts == (Verdict.ERROR, Verdict.PASSED, Verdict.TIMEOUT)
    assert report.error_type == "SIGKILL"
