"""The process of a program: its limits, its descriptors, its end, and nothing of it left."""

import os
import signal

import pytest
from processes import wait_until

from trl_rltf.execution.worker.child import is_stopped
from trl_rltf.execution.worker.records import RecordKind


def test_a_child_reports_and_ends_with_its_exit_code(scenario):
    result = scenario("reports_and_ends")
    assert result["records"] == [[RecordKind.DONE, 0], [RecordKind.DONE, 1]]
    assert os.waitstatus_to_exitcode(result["status"]) == 7
    assert (result["stopped"], result["exceeded"]) == (None, "")


@pytest.mark.parametrize(
    ("name", "exceeded"), [("loops", "cpu"), ("sleeps", "wall"), ("sleeps_too_long_in_all", "total_wall")]
)
def test_a_child_is_killed_for_the_limit_that_it_exceeds(scenario, name, exceeded):
    result = scenario(name)
    assert (result["stopped"], result["exceeded"], result["status"]) == ("timeout", exceeded, signal.SIGKILL)


def test_the_time_of_each_test_counts_from_the_end_of_the_one_before(scenario):
    result = scenario("has_time_for_each_test")  # three times 0.4 seconds, of 1.0 each
    assert (result["stopped"], len(result["records"])) == (None, 3)


def test_a_program_cannot_claim_that_a_test_started_later(scenario):
    result = scenario("claims_later_times")
    assert (result["stopped"], result["exceeded"]) == ("timeout", "wall")


def test_a_program_with_too_many_processes_is_stopped(scenario):
    result = scenario("starts_many_processes")
    assert (result["stopped"], result["status"]) == ("ProcessLimitExceeded", signal.SIGKILL)


def test_a_process_in_another_session_does_not_survive_its_program(scenario):
    assert scenario("leaves_a_process_in_another_session") == {"status": 0, "children": []}


def test_a_child_that_cannot_start_its_task_ends_with_a_code_for_it(scenario):
    result = scenario("fails_before_it_runs")
    assert (os.waitstatus_to_exitcode(result["status"]), result["records"]) == (70, [])


def test_the_cpu_time_of_processes_that_a_program_waited_for_counts(scenario):
    assert 0.3 <= scenario("counts_the_time_of_children")["cpu"] < 2


def test_a_program_has_only_its_streams_and_its_log(scenario):
    assert scenario("descriptors_of_a_program") == [0, 1, 2, 3]


def test_a_program_cannot_raise_the_size_of_its_files_or_its_cpu_time(scenario):
    assert scenario("limits_of_a_program") == {"RLIMIT_FSIZE": [2**16, 2**16], "RLIMIT_CPU": [3600, 3600]}


def test_two_children_talk_and_only_the_first_one_reports(scenario):
    result = scenario("has_a_partner")
    # The judge got the answer, and saw that the program was gone.
    assert result["records"] == [[RecordKind.DONE, 0], [RecordKind.DONE, 1]]
    assert os.waitstatus_to_exitcode(result["status"]) == 7, "it is the status of the program"
    assert result["stdout"] == "program", "what the judge prints is not for the program"
    assert not result["forged"], "the program has written to the log of the judge"
    assert result["pipes_are_closed"]


def test_nothing_runs_any_more_once_the_caller_is_gone(scenario):
    assert scenario("caller_hangs_up") == {"is_gone": True, "children": []}


def test_a_process_that_stopped_is_told_from_one_that_runs_or_has_ended():
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    try:
        assert not is_stopped(pid)
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: is_stopped(pid))
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert not is_stopped(pid)  # it waits to be reaped
    finally:
        os.waitpid(pid, 0)


def test_the_time_of_one_program_is_not_counted_for_the_next(scenario):
    first, second, third = scenario("counts_the_time_of_each_program_alone")
    assert second < 0.2 < 0.3 <= min(first, third)
    assert max(first, third) < 0.5
