"""Verdicts and reports of ordinary programs in all three test formats."""

import json
import resource
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import SUM_PROGRAM, SUM_TESTS, span_at

from trl_rltf.execution import Isolation, LocalRunner, Outcome, Program, Verdict
from trl_rltf.execution.host import worker_handle
from trl_rltf.execution.sandbox.isolation import choose_isolation
from trl_rltf.execution.sandbox.mechanisms import MECHANISMS


def grade(runner, source, tests):
    return runner.run([Program(source, tests)])[0]


def test_importing_the_grader_is_quick_and_loads_no_heavy_library(run_script):
    code = (
        "import sys, time; began = time.process_time(); import trl_rltf.execution.runner; print(time.process_time() - began); "
        "assert not {'torch', 'transformers', 'numpy', 'datasets'} & set(sys.modules), 'heavy import'"
    )
    assert min(float(run_script(code).stdout) for _ in range(3)) < 0.2


@pytest.mark.parametrize(
    ("source", "outcome", "error_type"),
    [
        (SUM_PROGRAM, Outcome.PASS, None),
        ("print(3)", Outcome.FAILURE, None),
        ("print(int(input()))", Outcome.RUNTIME_ERROR, "ValueError"),
        ("print(", Outcome.SYNTAX_ERROR, "SyntaxError"),
        ("", Outcome.FAILURE, None),
        ("while True: pass", Outcome.RUNTIME_ERROR, "TimeoutError"),
        ("raise SystemExit(3)", Outcome.RUNTIME_ERROR, "SystemExit"),
        (SUM_PROGRAM + "raise SystemExit", Outcome.PASS, None),
    ],
)
def test_a_program_has_the_right_outcome(any_runner, source, outcome, error_type):
    report = grade(any_runner, source, SUM_TESTS)
    assert report.outcome is outcome
    assert report.error_type == error_type
    assert report.num_tests == 2


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nfor line in sys.stdin:\n    print(sum(map(int, line.split())))",
        "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))",
        "import sys\ninput = sys.stdin.readline\nprint(sum(map(int, input().split())))",
        "print(sum(map(int, open(0).read().split())))",
        "print(sum(map(int, open('/dev/stdin').read().split())))",
        "import os\nos.write(1, str(sum(map(int, os.read(0, 100).split()))).encode())",
        "if __name__ == '__main__':\n    print(sum(map(int, input().split())))",
        "import sys\nsys.setrecursionlimit(10**6)\ndef f(n):\n    return 0 if n == 0 else 1 + f(n - 1)\nassert f(50000) == 50000\n"
        "print(sum(map(int, input().split())))",
        "import threading\nthreading.stack_size(2**26)\ndef main():\n    print(sum(map(int, input().split())))\n"
        "threading.Thread(target=main).start()",
        "import atexit, io, sys\nout = io.StringIO()\natexit.register(lambda: sys.__stdout__.write(out.getvalue()))\n"
        "out.write(str(sum(map(int, input().split()))))",
        "import resource, sys\nresource.setrlimit(resource.RLIMIT_STACK, (2**29, -1))\nsys.setrecursionlimit(10**6)\n"
        "print(sum(map(int, input().split())))",
        "import resource\nresource.setrlimit(resource.RLIMIT_STACK, [resource.RLIM_INFINITY] * 2)\n"
        "print(sum(map(int, input().split())))",
        "a, b = input().split()\r\nprint(int(a) + int(b), end='\\r\\n')",
        "print(sum(map(int, input().split())))\nprint('  ')",
    ],
)
def test_habits_of_real_solutions_work(any_runner, source):
    report = grade(any_runner, source, SUM_TESTS)
    assert report.outcome is Outcome.PASS, (report.error_type, report.error_message)


def test_a_script_reads_the_line_ends_of_its_input_as_they_are(runner):
    tests = {"inputs": ["a\r\nb\r\n"], "outputs": ["'a\\r\\n' 'b\\r'"]}
    assert grade(runner, "import sys\nprint(repr(sys.stdin.readline()), repr(input()))", tests).outcome is Outcome.PASS


def test_a_program_can_have_32_threads_with_the_default_limits(any_runner):
    source = (
        "from concurrent.futures import ThreadPoolExecutor\nimport time\nwith ThreadPoolExecutor(32) as pool:\n"
        "    print(sum(pool.map(lambda x: (time.sleep(0.02), int(x))[1], input().split() + ['0'] * 62)))"
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    try:
        # A caller with large stacks, for its own recursion: each thread of the C library takes the size that is in force.
        resource.setrlimit(resource.RLIMIT_STACK, (2**28 if hard == resource.RLIM_INFINITY else hard, hard))
        with LocalRunner(num_workers=1, isolation=any_runner.sandbox.name) as local:
            assert grade(local, source, SUM_TESTS).outcome is Outcome.PASS
    finally:
        resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))


def test_a_process_that_a_program_starts_can_use_python_and_its_folder(any_runner):
    name = any_runner.sandbox.name
    mechanism = MECHANISMS[any_runner.sandbox.name]
    if mechanism.changes_user() and not mechanism.opens_files_as_own_user():
        pytest.skip(
            "workers of root have user ids of their own, and Python lies where only root can read it; the docs say so"
        )
    writes = "import os; os.makedirs('a/b'); open('a/b/c', 'w').write('3')"
    source = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {writes!r}], check=True)\nprint(open('a/b/c').read())"
    tests = {"inputs": [""], "outputs": ["3"]}
    with LocalRunner(num_workers=1, isolation=name) as local:
        for number in range(2):  # nothing is left for the second
            assert grade(local, f"{source}\n# {number}", tests).outcome is Outcome.PASS


def test_multiprocessing_works_if_there_is_a_folder_for_its_locks(any_runner):
    if any_runner.sandbox.name == "landlock":
        pytest.skip("Landlock alone keeps programs out of /dev/shm, which multiprocessing needs")
    source = (
        "import multiprocessing\nwith multiprocessing.Pool(2) as pool:\n    print(sum(pool.map(int, input().split())))"
    )
    assert grade(any_runner, source, SUM_TESTS).outcome is Outcome.PASS


def test_an_error_in_a_thread_of_the_program_counts(runner):
    source = "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()"
    assert grade(runner, source, SUM_TESTS).error_type == "ZeroDivisionError"


@pytest.mark.parametrize(
    "source",
    [
        "def add(a, b):\n    return a + b",
        "class Solution:\n    def add(self, a: int, b: int) -> List[int]:\n        return a + b",
        "add = lambda a, b: a + b",
    ],
)
def test_call_based_tests_find_functions_and_solution_classes(any_runner, source):
    tests = {"fn_name": "add", "inputs": [[1, 2], [3, 4]], "outputs": [3, [7]]}
    assert grade(any_runner, source, tests).outcome is Outcome.PASS


def test_a_missing_function_is_a_runtime_error_without_a_place(runner):
    report = grade(runner, "x = 1", {"fn_name": "add", "inputs": [[1, 2]], "outputs": [3]})
    assert (report.outcome, report.error_type, report.span) == (Outcome.RUNTIME_ERROR, "NameError", None)


def test_a_function_that_changes_its_argument_does_not_change_other_tests(runner):
    source = "seen = []\ndef f(v):\n    v.append(1)\n    return len(v)"
    assert grade(runner, source, {"fn_name": "f", "inputs": [[[]], [[]]], "outputs": [1, 1]}).num_passed == 2


def test_assert_tests_run_after_program_and_setup(any_runner):
    tests = {"asserts": ["assert area(box) == 6", "assert area(box) == 7"], "setup": "box = Box(2, 3)"}
    source = (
        "class Box:\n    def __init__(self, a, b):\n        self.a, self.b = a, b\ndef area(x):\n    return x.a * x.b"
    )
    report = grade(any_runner, source, tests)
    assert report.verdicts == (Verdict.PASSED, Verdict.FAILED)
    assert report.self_graded_tests == ()


def test_an_assert_that_cannot_be_split_is_decided_by_a_referee(any_runner):
    check = "def check(f):\n    for n in range(3):\n        assert f(n) == 2 * n"
    tests = {"asserts": ["check(double)"], "setup": check}
    right = grade(any_runner, "def double(n):\n    return 2 * n", tests)
    wrong = grade(any_runner, "def double(n):\n    return n * n", tests)
    assert (right.outcome, wrong.outcome) == (Outcome.PASS, Outcome.FAILURE)
    assert right.self_graded_tests == ()


def test_a_test_that_passes_a_function_runs_inside_and_is_reported_as_self_graded(runner):
    tests = {"asserts": ["assert [f(lambda x: x + 1, 2)] == [3]"]}
    right = grade(runner, "def f(g, x):\n    return g(x)", tests)
    wrong = grade(runner, "def f(g, x):\n    return x", tests)
    assert (right.outcome, wrong.outcome) == (Outcome.PASS, Outcome.FAILURE)
    assert right.self_graded_tests == wrong.self_graded_tests == (0,)


def test_one_test_that_loops_does_not_lose_the_others(any_runner):
    source = "def f(n):\n    while n == 1:\n        pass\n    return n"
    report = grade(any_runner, source, {"fn_name": "f", "inputs": [[0], [1], [2]], "outputs": [0, 1, 2]})
    assert report.verdicts == (Verdict.PASSED, Verdict.TIMEOUT, Verdict.PASSED)
    assert report.outcome is Outcome.RUNTIME_ERROR


def test_one_test_that_kills_its_process_does_not_lose_the_others(any_runner):
    source = "import os\ndef f(n):\n    if n == 1:\n        os.kill(os.getpid(), 9)\n    return n"
    report = grade(any_runner, source, {"fn_name": "f", "inputs": [[0], [1], [2]], "outputs": [0, 1, 2]})
    assert report.verdicts == (Verdict.PASSED, Verdict.ERROR, Verdict.PASSED)
    assert report.error_type == "SIGKILL"


def test_a_program_that_loops_on_every_test_costs_little_more_than_one_timeout(runner):
    tests = {"fn_name": "f", "inputs": [[i] for i in range(20)], "outputs": [0] * 20}
    report = grade(runner, "def f(n):\n    while True:\n        pass", tests)
    assert report.cpu_seconds < 2 * runner.timeout
    assert Verdict.NOT_RUN in report.verdicts
    assert report.num_run < report.num_tests


def test_a_sleeping_program_is_stopped_by_the_wall_limit():
    with LocalRunner(num_workers=1, timeout=0.5, wall_timeout=0.6, isolation="process") as local:
        began = time.monotonic()
        report = grade(local, "import time\ntime.sleep(60)", SUM_TESTS)
    assert report.error_type == "TimeoutError"
    assert time.monotonic() - began < 30


def test_the_span_names_the_failing_occurrence(runner):
    source = "x = [1]\ny = x[0]\nfor i in range(3):\n    y = x[0]; y = x[i]\n"
    report = grade(runner, source, SUM_TESTS)
    assert report.span == span_at(4, 14, 4, 22)
    assert report.expression_span == span_at(4, 18, 4, 22)


def test_columns_count_characters_not_bytes(runner):
    report = grade(runner, "é = 'ü'; ß = é[7]\n", SUM_TESTS)
    assert report.span == span_at(1, 9, 1, 17)
    assert report.expression_span == span_at(1, 13, 1, 17)


def test_equal_programs_of_a_batch_run_once_and_keep_their_order(runner):
    sources = [SUM_PROGRAM, "print(3)", SUM_PROGRAM, "print(", SUM_PROGRAM]
    reports = runner.run([Program(source, SUM_TESTS) for source in sources])
    assert [report.outcome.name for report in reports] == ["PASS", "FAILURE", "PASS", "SYNTAX_ERROR", "PASS"]
    assert reports[0] is reports[2] is reports[4]


def test_the_same_program_with_other_tests_is_graded_again(runner):
    other = {"inputs": ["1 2\n"], "outputs": ["4\n"]}
    reports = runner.run([Program(SUM_PROGRAM, SUM_TESTS), Program(SUM_PROGRAM, json.dumps(other))])
    assert [report.outcome for report in reports] == [Outcome.PASS, Outcome.FAILURE]


def test_an_empty_batch_gives_no_reports(runner):
    assert runner.run([]) == []


def test_large_inputs_and_outputs_pass_through(runner):
    text = "7" * 3_000_000
    report = grade(runner, "print(input())", {"inputs": [text], "outputs": [text]})
    assert report.outcome is Outcome.PASS
    assert len(report.stdout) <= 2000


def test_hash_order_is_the_same_each_time(runner):
    source = "print(list({'a', 'b', 'c', 'd', 'e'}))"
    seen = {grade(runner, source + "#" * i, SUM_TESTS).stdout for i in range(4)}
    assert len(seen) == 1


def test_malformed_tests_name_the_program(runner):
    with pytest.raises(ValueError, match="program 1: the tests are empty"):
        runner.run([Program("", SUM_TESTS), Program("", {"inputs": [], "outputs": []})])


def test_the_runner_works_again_after_close(runner):
    with LocalRunner(num_workers=1, isolation="process") as local:
        assert grade(local, SUM_PROGRAM, SUM_TESTS).outcome is Outcome.PASS
        local.close()
        assert grade(local, SUM_PROGRAM, SUM_TESTS).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_workers": 0}, "`num_workers` is 0"),
        ({"timeout": "4"}, "`timeout` is '4', but must be a number of seconds"),
        ({"memory_limit": "1GB"}, "`memory_limit` is '1GB'"),
        ({"isolation": "jail"}, "`isolation` is 'jail'"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LocalRunner(**arguments)


def test_nothing_runs_without_the_opt_in(monkeypatch):
    monkeypatch.setenv("HF_ALLOW_CODE_EVAL", "0")
    with pytest.raises(ValueError, match="HF_ALLOW_CODE_EVAL=1"):
        LocalRunner()
    LocalRunner(allow_code_eval=True).close()


def test_strict_isolation_is_refused_if_nothing_complete_works(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(MECHANISMS["namespaces"], "problem", lambda: "namespaces are forbidden")
    with pytest.raises(RuntimeError, match=r"namespaces are forbidden.*apt-get install bubblewrap"):
        LocalRunner(isolation="strict")
    monkeypatch.setattr(MECHANISMS["landlock"], "problem", lambda: "the kernel has no Landlock")
    with pytest.warns(UserWarning, match="resource limits only"):
        LocalRunner(isolation="auto").close()


@pytest.mark.parametrize(
    ("names", "is_complete"),
    [((), True), (("bubblewrap",), True), (("bubblewrap", "namespaces"), False)],
)
def test_the_next_isolation_is_taken_if_one_does_not_work(monkeypatch, names, is_complete):
    for name in names:
        monkeypatch.setattr(MECHANISMS[name], "problem", lambda name=name: f"no {name} here")
    found = choose_isolation("auto")
    if not found.is_complete and is_complete:
        pytest.skip(f"no complete isolation works on this machine: {found.missing}")
    if found.name == "process":
        pytest.skip(f"nothing else works on this machine: {found.missing}")
    assert found.name not in names
    assert found.is_complete is is_complete
    assert all(f"no {name} here" in found.missing for name in names) or is_complete


@pytest.mark.parametrize(("layers", "is_open"), [(("Landlock 7 (processes)", "seccomp"), False), (("seccomp",), True)])
def test_the_warning_says_whether_programs_can_change_the_memory_of_the_trainer(layers, is_open):
    warning = Isolation("process", False, True, False, layers=layers, missing="it is a test").warning
    assert ("change the memory of processes" in warning) is is_open


def test_a_sandbox_that_does_not_start_is_an_error_not_a_reward(monkeypatch):
    broken = [sys.executable, "-c", "raise SystemExit('no sandbox today')"]
    monkeypatch.setattr(worker_handle, "worker_command", lambda *_: broken)
    with LocalRunner(isolation="process") as local, pytest.raises(RuntimeError, match="no sandbox today"):
        local.run([Program("", SUM_TESTS)])


def test_an_interrupt_in_the_middle_leaves_a_runner_that_works():
    with LocalRunner(num_workers=2, timeout=5, isolation="process") as local:
        threading.Timer(1.0, signal.raise_signal, (signal.SIGINT,)).start()
        with pytest.raises(KeyboardInterrupt):
            local.run([Program(f"import time\ntime.sleep(30)\n#{i}", SUM_TESTS) for i in range(4)])
        assert grade(local, SUM_PROGRAM, SUM_TESTS).outcome is Outcome.PASS


def test_threads_may_share_a_runner(runner):
    batches = [[Program(SUM_PROGRAM + "#" * (5 * i + j), SUM_TESTS) for j in range(5)] for i in range(4)]
    with ThreadPoolExecutor(4) as pool:
        reports = [report for batch in pool.map(runner.run, batches) for report in batch]
    assert [report.outcome for report in reports] == [Outcome.PASS] * 20


@pytest.mark.parametrize(
    ("source", "test", "outcome"),
    [
        ("from collections import deque\ndef f():\n    return deque()", "assert f()", Outcome.FAILURE),
        ("from collections import deque\ndef f():\n    return deque([1])", "assert f()", Outcome.PASS),
        (
            "import datetime\ndef f():\n    return datetime.date(2020, 1, 2)",
            "assert f() == datetime.date(2020, 1, 2)",
            Outcome.PASS,
        ),
        (
            "import datetime\ndef f():\n    return datetime.date(2020, 1, 3)",
            "assert f() == datetime.date(2020, 1, 2)",
            Outcome.FAILURE,
        ),
        ("def f():\n    return {1: 2}.keys()", "assert f() == {1}", Outcome.PASS),
    ],
)
def test_asserts_about_other_objects_hold_as_python_defines_it(runner, source, test, outcome):
    assert grade(runner, source, {"asserts": [test]}).outcome is outcome


def test_a_single_program_and_tests_that_are_not_json_are_refused(runner):
    with pytest.raises(TypeError, match="`programs` is a single `Program`"):
        runner.run(Program("", SUM_TESTS))
    with pytest.raises(ValueError, match="program 0: the tests cannot be written as JSON"):
        runner.run([Program("", {"fn_name": "f", "inputs": [[{1}]], "outputs": [1]})])
