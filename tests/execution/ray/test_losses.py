"""Nodes that join and leave, graders that are killed: no program is lost, and none is waited for without end."""

import os
import signal

import pytest
from processes import wait_until
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.execution import Outcome, Program, SandboxError


pytestmark = pytest.mark.slow


def sums(count, checker=None, seconds=0.0):
    """Different right programs, each of which takes some time."""
    slow = f"import time\ntime.sleep({seconds})\n" if seconds else ""
    return [Program(f"{slow}{SUM_PROGRAM}# {number}", SUM_TESTS, checker) for number in range(count)]


def outcomes(reports):
    return {report.outcome for report in reports}


@pytest.fixture
def grader_pids(tmp_path):
    """A checker that notes the process it runs in, and a function that returns these processes."""

    def checker(given, answer, expected):
        (tmp_path / str(os.getpid())).touch()
        return True

    return checker, lambda: [int(path.name) for path in tmp_path.iterdir()]


def test_a_node_that_joins_is_used_from_the_next_call(cluster, ray_runner):
    runner = ray_runner()
    assert outcomes(runner.run(sums(3))) == {Outcome.PASS}
    assert len(runner.sandboxes) == 3
    node = cluster.add_node(num_cpus=1, object_store_memory=10**8)
    assert outcomes(runner.run(sums(100, seconds=0.1))) == {Outcome.PASS}
    assert wait_until(lambda: len(runner.sandboxes) == 4)
    cluster.remove_node(node)
    assert outcomes(runner.run(sums(60))) == {Outcome.PASS}
    assert wait_until(lambda: len(runner.sandboxes) == 3)


def test_the_programs_of_a_killed_node_are_graded_by_the_others(cluster, ray_runner):
    node = cluster.add_node(num_cpus=1, object_store_memory=10**8)
    cluster.wait_for_nodes()
    runner = ray_runner(batch_size=8)
    assert len(runner.sandboxes) == 4
    stream = runner.stream(sums(120, seconds=0.3))
    reports = [next(stream)]
    cluster.remove_node(node, allow_graceful=False)
    reports += stream
    assert len(reports) == 120
    assert outcomes(reports) == {Outcome.PASS}
    assert len(runner.sandboxes) == 3


def test_the_programs_of_a_killed_grader_are_graded_again(ray_runner, grader_pids):
    checker, pids = grader_pids
    runner = ray_runner(batch_size=8)
    stream = runner.stream(sums(60, checker, seconds=0.2))
    reports = [next(stream)]
    killed = pids()[0]
    os.kill(killed, signal.SIGKILL)
    reports += stream
    assert (len(reports), outcomes(reports)) == (60, {Outcome.PASS})
    assert wait_until(lambda: len(runner.sandboxes) == 3)  # its node has a new one
    assert outcomes(runner.run(sums(100, checker))) == {Outcome.PASS}
    assert len(set(pids()) - {killed}) >= 3


def test_programs_that_end_their_grader_again_and_again_are_not_gradable(ray_runner):
    def end_the_grader(given, answer, expected):
        os._exit(1)

    runner = ray_runner(batch_size=1, max_task_retries=1)
    programs = sums(12)
    programs[5] = Program(SUM_PROGRAM, SUM_TESTS, end_the_grader)
    reports = runner.run(programs)
    assert reports[5].outcome is Outcome.NOT_GRADABLE
    assert "The grader was lost 2 times" in reports[5].error_message
    # Programs that were on the same node each time may be lost with it.
    assert sum(report.outcome is Outcome.PASS for report in reports) >= 8
    assert outcomes(runner.run(sums(12))) == {Outcome.PASS}


def test_a_cluster_whose_last_suitable_node_is_lost_is_an_error_with_the_finished_reports(cluster, ray_runner):
    node = cluster.add_node(num_cpus=1, resources={"grading": 1}, object_store_memory=10**8)
    cluster.wait_for_nodes()
    runner = ray_runner(resources={"grading": 1}, batch_size=4)
    assert len(runner.sandboxes) == 1
    stream = runner.stream(sums(40, seconds=0.3))
    assert next(stream).outcome is Outcome.PASS
    cluster.remove_node(node, allow_graceful=False)
    with pytest.raises(SandboxError, match="No node of the Ray cluster grades programs") as caught:
        list(stream)
    assert len(caught.value.reports) == 40
    assert outcomes(caught.value.reports) == {Outcome.PASS, Outcome.NOT_GRADABLE}
