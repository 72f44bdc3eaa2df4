"""`RayRunner` on a cluster of three nodes: the reports, the checks and the errors are those of `LocalRunner`."""

import dataclasses
import json
import os
import signal
import sys
import threading
import time
import types
from pathlib import Path

import pytest
from conftest import ISOLATIONS
from processes import descendants, is_running, running, wait_until
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.execution import LocalRunner, Outcome, Program, SandboxError
from trl_rltf.execution.ray import RayRunner


pytestmark = pytest.mark.slow
CALLERS = Path(__file__).parents[1] / "callers"
HANGS = "import time\ntime.sleep(60)"


@pytest.fixture(scope="module")
def shared(cluster):
    """One runner for the tests that need no other."""
    with RayRunner(cluster.address, timeout=1.0) as runner:
        yield runner


@pytest.fixture(scope="module")
def sharing_cpus(cluster):
    """Arguments of further runners, whose graders run while those of `shared` do."""
    return {"num_cpus": 0, "num_workers": 1}


def untimed(reports):
    """Reports without times and memory, and without addresses of objects in messages, which differ between two runs."""
    return [
        dataclasses.replace(report, cpu_seconds=0.0, wall_seconds=0.0, peak_memory=0, error_message="", stdout="")
        for report in reports
    ]


def broken(source, number):
    """A program with one of six kinds of errors."""
    kind = number % 6
    if kind == 0:
        return source[: len(source) // 2]
    if kind == 1:
        return source.replace("return", "return not", 1)
    tails = (
        "raise ValueError(1)",
        "import os\nos._exit(3)",
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
        "x = = 1",
    )
    return f"{tails[kind - 2]}\n{source}" if kind < 5 else f"{source}\n{tails[kind - 2]}"


def test_the_reports_of_two_thousand_programs_are_those_of_a_local_runner(shared, shared_data):
    rows = [json.loads(line) for line in (shared_data / "mbpp" / "mbpp.jsonl").read_text().splitlines()]
    tests = [{"asserts": row["test_list"], "setup": row["test_setup_code"]} for row in rows]
    programs = [Program(row["code"], entry) for row, entry in zip(rows, tests, strict=True)]
    programs += [Program(broken(program.source, i), program.tests) for i, program in enumerate(programs)]
    programs += [Program(f"{SUM_PROGRAM}# {number}", SUM_TESTS) for number in range(2000 - len(programs))]
    with LocalRunner(num_workers=2, timeout=1.0) as local:
        expected = local.run(programs)
    assert len({report.outcome for report in expected}) == 4
    assert untimed(shared.run(programs)) == untimed(expected)


def test_programs_are_graded_within_their_limits(shared):
    source = "import time\nwhile time.process_time() < 0.4:\n    pass\nmemory = bytearray(96 * 2**20)\nprint(3)"
    tests = {"inputs": [""], "outputs": ["3"]}
    limits = [{"timeout": 0.1}, {"timeout": 2.0}, {"memory_limit": 2**26}, {}]
    reports = shared.run([Program(source, tests, **one) for one in limits])
    assert [report.error_type for report in reports] == ["TimeoutError", None, "MemoryError", None]
    with pytest.raises(ValueError, match="program 0: `timeout` is 0, but must be"):
        shared.run([Program(source, tests, timeout=0)])


def test_reports_are_in_the_order_of_the_programs(shared):
    programs = [Program(f"print({number})", {"inputs": [""], "outputs": [f"{number}"]}) for number in range(100)]
    programs[::7] = [Program(SUM_PROGRAM, SUM_TESTS)] * len(programs[::7])  # equal programs run once
    expected = ["7\n" if number % 7 == 0 else f"{number}\n" for number in range(100)]
    assert [report.stdout for report in shared.run(programs)] == expected
    assert [report.stdout for report in shared.stream(programs)] == expected
    assert [report.stdout for report in shared.submit(programs).result(60)] == expected
    assert shared.run([]) == []


def test_several_threads_can_use_a_runner(shared):
    results = {}

    def grade(number):
        tests = {"inputs": [""], "outputs": [f"{number}"]}
        results[number] = shared.run([Program(f"print({number})  # {i}", tests) for i in range(70)])

    threads = [threading.Thread(target=grade, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {number: {report.stdout for report in reports} for number, reports in results.items()} == {
        number: {f"{number}\n"} for number in range(4)
    }


def test_malformed_tests_are_found_in_the_caller_with_their_index(shared):
    good = Program(SUM_PROGRAM, SUM_TESTS)
    with pytest.raises(ValueError, match=r"^program 41: "):
        shared.run([good] * 41 + [Program("x = 1", {"inputs": ["1"]})])
    with pytest.raises(TypeError, match="program 1 is a str"):
        shared.submit([good, "x = 1"])
    with pytest.raises(TypeError, match="Put it in a list"):
        shared.stream(good)


def test_a_stream_that_is_left_gives_up_the_rest(ray_runner, sharing_cpus):
    runner = ray_runner(**sharing_cpus, batch_size=8)
    good, slow = Program(SUM_PROGRAM, SUM_TESTS), [Program(f"{HANGS}  # {i}", SUM_TESTS) for i in range(100)]
    stream = runner.stream([*[good] * 8, *(Program(f"{SUM_PROGRAM}# {i}", SUM_TESTS) for i in range(7)), *slow])
    assert next(stream).outcome is Outcome.PASS
    stream.close()
    began = time.monotonic()
    assert runner.run([good])[0].outcome is Outcome.PASS
    assert time.monotonic() - began < 20  # each of the programs that were sent would have taken 6 s


def test_a_checker_decides_on_the_node(ray_runner, sharing_cpus):
    limit = 5

    def is_near(given, answer, expected):
        return abs(int(answer) - int(expected)) < limit

    near, far = ({"inputs": ["1 2"], "outputs": [text]} for text in ("6", "9"))
    runner = ray_runner(**sharing_cpus, checker=is_near)
    programs = [Program(SUM_PROGRAM, near), Program(SUM_PROGRAM, far), Program(SUM_PROGRAM, far, lambda *_: True)]
    assert [report.outcome for report in runner.run(programs)] == [Outcome.PASS, Outcome.FAILURE, Outcome.PASS]
    lock = threading.Lock()
    with pytest.raises(ValueError, match="program 1: `checker` cannot be sent to another process"):
        runner.run([programs[0], Program(SUM_PROGRAM, near, lambda *_: lock is None)])
    with pytest.raises(ValueError, match="program 0: `checker` is 'exact', but must be a function"):
        runner.run([Program(SUM_PROGRAM, near, "exact")])


def test_a_checker_of_a_module_that_the_nodes_do_not_have_is_an_error_that_says_so(shared, monkeypatch):
    module = types.ModuleType("module_of_the_caller")
    exec("def accept(given, answer, expected):\n    return True", module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    programs = [Program(SUM_PROGRAM, SUM_TESTS, module.accept)]
    with pytest.raises(
        SandboxError, match=r"No module named 'module_of_the_caller'.*Install its module there"
    ) as caught:
        shared.run(programs)
    assert [report.outcome for report in caught.value.reports] == [Outcome.NOT_GRADABLE]
    assert shared.run([Program(SUM_PROGRAM, SUM_TESTS)])[0].outcome is Outcome.PASS


def test_a_checker_that_raises_makes_its_program_not_gradable(shared):
    reports = shared.run([Program(SUM_PROGRAM, SUM_TESTS, lambda *_: 1 / 0), Program(SUM_PROGRAM, SUM_TESTS)])
    with LocalRunner(num_workers=1) as local:
        expected = local.run([Program(SUM_PROGRAM, SUM_TESTS, lambda *_: 1 / 0), Program(SUM_PROGRAM, SUM_TESTS)])
    assert untimed(reports) == untimed(expected)


def test_no_grader_imports_torch(shared, tmp_path):
    def record_modules(given, answer, expected):
        (tmp_path / str(os.getpid())).write_text(" ".join(sys.modules))
        return True

    programs = [Program(f"{SUM_PROGRAM}# {number}", SUM_TESTS, record_modules) for number in range(200)]
    assert {report.outcome for report in shared.run(programs)} == {Outcome.PASS}
    modules = [set(path.read_text().split()) for path in tmp_path.iterdir()]
    assert len(modules) == 3  # one grader per node
    for names in modules:
        assert not {"torch", "transformers", "trl", "datasets"} & names


def test_the_isolation_is_reported_for_each_node(shared, cluster):
    import ray

    assert set(shared.sandboxes) == {node["NodeID"] for node in ray.nodes() if node["Alive"]}
    with LocalRunner(num_workers=1) as local:
        assert set(shared.sandboxes.values()) == {local.sandbox}


def test_a_node_without_the_isolation_is_left_out_with_a_warning(cluster, ray_runner, sharing_cpus):
    if not isinstance(ISOLATIONS[-1], str):
        pytest.skip("bubblewrap does not work on this machine")
    node = cluster.add_node(
        num_cpus=1, resources={"poor": 1}, object_store_memory=10**8, env_vars={"PATH": "/nowhere"}
    )
    try:
        with pytest.warns(UserWarning, match="grades no programs: .*bubblewrap.* is not installed"):
            runner = ray_runner(**sharing_cpus, isolation="bubblewrap")
        assert (len(runner.sandboxes), len(runner.left_out)) == (3, 1)
        assert runner.run([Program(SUM_PROGRAM, SUM_TESTS)])[0].outcome is Outcome.PASS
        with (
            pytest.warns(UserWarning, match="grades no programs"),
            pytest.raises(SandboxError, match=r"No node .*bubblewrap.* is not installed"),
        ):
            ray_runner(**sharing_cpus, resources={"poor": 1}, isolation="bubblewrap")
    finally:
        cluster.remove_node(node)


def test_a_cluster_without_the_resources_is_an_error_at_construction(ray_runner):
    with pytest.raises(SandboxError, match="No node of the Ray cluster grades programs: none has the CPUs"):
        ray_runner(resources={"grading": 1})


def test_another_address_than_that_of_the_connection_is_refused(cluster):
    with pytest.raises(ValueError, match="this process is connected to the Ray cluster"):
        RayRunner("10.0.0.1:6379")


def test_a_runner_whose_connection_was_closed_says_so_and_connects_again(cluster, start_script):
    process = start_script(CALLERS / "grade_on_ray.py", cluster.address, "disconnected")
    assert process.communicate(timeout=60)[0] == "SandboxError: no longer connected\nPASS\n"


def test_a_forked_process_cannot_use_the_runner(cluster, start_script):
    process = start_script(CALLERS / "grade_on_ray.py", cluster.address, "forked")
    assert process.communicate(timeout=60)[0] == "SandboxError: forked\nPASS\n"


def test_a_closed_runner_can_be_used_again_and_leaves_no_process(ray_runner, sharing_cpus, tmp_path):
    def record_process(given, answer, expected):
        (tmp_path / str(os.getpid())).touch()
        return True

    runner = ray_runner(**sharing_cpus)
    program = Program(SUM_PROGRAM, SUM_TESTS, record_process)
    assert runner.run([program])[0].outcome is Outcome.PASS
    (pid,) = [int(path.name) for path in tmp_path.iterdir()]
    pids = [pid, *(child.pid for child in descendants(pid))]
    assert len(pids) > 1  # the worker of the sandbox
    runner.close()
    assert wait_until(lambda: not running(pids)), running(pids)
    assert runner.run([program])[0].outcome is Outcome.PASS


def test_ctrl_c_keeps_the_finished_reports(cluster, shared, start_script):
    process = start_script(CALLERS / "grade_on_ray.py", cluster.address, "interrupted")
    assert process.stdout.readline() == "grading\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[0] == "GradingInterrupted: 4 PASS, 40 NOT_GRADABLE\n"
    assert shared.run([Program(SUM_PROGRAM, SUM_TESTS)])[0].outcome is Outcome.PASS


def test_two_processes_share_the_graders_of_a_name(cluster, ray_runner, start_script, tmp_path):
    def record_process(given, answer, expected):
        (tmp_path / str(os.getpid())).touch()
        return True

    arguments = {"num_cpus": 0, "num_workers": 1, "name": "two processes"}
    runner = ray_runner(**arguments)
    runner.run([Program(f"{SUM_PROGRAM}# {i}", SUM_TESTS, record_process) for i in range(100)])
    ours = {path.name for path in tmp_path.iterdir()}
    other = start_script(CALLERS / "grade_on_ray.py", cluster.address, "shared", "two processes")
    theirs = other.stdout.readline().split()
    assert set(theirs) == ours
    assert len(ours) == 3
    runner.close()  # the other process still uses them
    other_pids = [int(pid) for pid in theirs]
    assert all(map(is_running, other_pids))
    assert other.communicate("go on\n", timeout=60)[0] == "PASS\n"
    assert wait_until(lambda: not any(map(is_running, other_pids)))


def test_graders_of_a_name_with_other_limits_are_refused(ray_runner):
    arguments = {"num_cpus": 0, "num_workers": 1, "name": "limits"}
    ray_runner(**arguments, timeout=1.0)
    with pytest.warns(UserWarning, match="`timeout=1.0`"), pytest.raises(SandboxError, match="another `name`"):
        ray_runner(**arguments, timeout=2.0)
