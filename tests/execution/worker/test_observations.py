"""What each test showed, put together from made-up records, reports and exit statuses."""

import itertools
import json
import signal

import pytest

from trl_rltf.execution.worker.observations import TOO_LARGE_ANSWER, TOO_MUCH_OUTPUT, Observations, error_of_end
from trl_rltf.execution.worker.records import Record, RecordKind
from trl_rltf.execution.worker.scripts.fork_server import ServerReport


EXITED_0, EXITED_3, KILLED = 0, 3 << 8, signal.SIGKILL.value
VALUE_ERROR = {"phase": "run", "type": "ValueError", "message": "bad", "position": [1, 1, 0, 4]}
SYNTAX_ERROR = {"phase": "compile", "type": "SyntaxError", "message": "bad", "position": [1, 1, 0, 4]}
SITE = {"detail": "", "span": [1, 0, 1, 4], "expression_span": [1, 0, 1, 2]}


def observations(num_sent, mode="expression", num_tests=None, spent=(0.0, 0.0)):
    """Nothing is known yet of a program with some tests."""
    return Observations(
        {
            "mode": mode,
            "num_sent": num_sent,
            "num_tests": num_sent if num_tests is None else num_tests,
            "spent": spent,
            "process_per_test": False,
        }
    )


def record(kind, test=-1, content=None, offset=0, size=0):
    payload = b"" if content is None else json.dumps(content).encode()
    return Record(kind, test, payload, offset, size, 0.0, 0.0)


def report(kind, status=0, content=None, output=(0, 0), printed_too_much=False):
    payload = b"" if content is None else json.dumps(content).encode()
    return ServerReport(kind, status, True, printed_too_much, output, payload)


def end(status):
    """The end of a test whose process was not stopped, and whose log is not full."""
    return "error", error_of_end(None, status, False)


def timed_out(status):
    return "timeout", {"phase": "run", "type": "TimeoutError", "message": "too long", "position": None}


DONE = RecordKind.DONE
ERROR = RecordKind.ERROR


def test_reported_tests_are_done_and_their_values_are_found_in_the_log():
    seen = observations(3)
    left, values = seen.add_records(
        [record(DONE, 0, offset=40, size=5), record(DONE, 1, offset=90, size=7)], [0, 1], False
    )
    seen.add_end([0, 1], left, False, EXITED_0, end)
    assert seen.kinds == ["done", "done", None]
    assert values == {0: (40, 5), 1: (90, 7)}
    assert (left, seen.error, seen.pending()) == ([], None, [2])


def test_the_first_error_is_kept_and_the_next_test_runs():
    seen = observations(3)
    other = {**VALUE_ERROR, "message": "worse"}
    left, _ = seen.add_records(
        [record(ERROR, 0, VALUE_ERROR), record(ERROR, 1, other), record(DONE, 2)], [0, 1, 2], False
    )
    assert (seen.kinds, left) == (["error", "error", "done"], [])
    assert seen.error == VALUE_ERROR


def test_an_error_of_loading_settles_all_tests_of_the_process():
    seen = observations(3)
    left, _ = seen.add_records([record(ERROR, -1, VALUE_ERROR)], [0, 1, 2], False)
    seen.add_end([0, 1, 2], left, False, EXITED_0, end)
    assert (seen.kinds, seen.error) == (["error"] * 3, VALUE_ERROR)


def test_a_program_that_does_not_compile_has_an_error_with_a_site():
    seen = observations(2)
    seen.add_records(
        [record(RecordKind.SYNTAX_ERROR, -1, SYNTAX_ERROR), record(RecordKind.SITE, -1, SITE)], [0, 1], False
    )
    reply = seen.reply()
    assert not reply["compiled"]
    assert reply["error"] == {**SYNTAX_ERROR, **SITE}
    assert [test["kind"] for test in reply["tests"]] == ["not_run", "not_run"]


def test_an_error_after_what_the_tests_use_is_separate_from_their_errors():
    seen = observations(1)
    records = [record(RecordKind.TRAILING, -1, SYNTAX_ERROR), record(RecordKind.SITE, -1, SITE), record(DONE, 0)]
    seen.add_records(records, [0], False)
    reply = seen.reply()
    assert (reply["compiled"], reply["error"]) == (True, None)
    assert reply["trailing"] == {**SYNTAX_ERROR, **SITE}


@pytest.mark.parametrize("first", [1, 2])
def test_a_test_cannot_be_reported_before_its_turn(first):
    seen = observations(3)
    left, values = seen.add_records([record(DONE, first), record(DONE, 0)], [0, 1, 2], False)
    assert (seen.kinds, left) == (["done", None, None], [1, 2])
    assert list(values) == [0]


def test_a_test_is_reported_once():
    seen = observations(2)
    seen.add_records([record(DONE, 0), record(ERROR, 0, VALUE_ERROR)], [0, 1], False)
    assert (seen.kinds, seen.error) == (["done", None], None)


def test_the_first_test_without_a_report_gets_the_end_of_the_process():
    seen = observations(4)
    left, _ = seen.add_records([record(DONE, 0)], [0, 1, 2, 3], False)
    seen.add_end([0, 1, 2, 3], left, False, KILLED, end)
    assert seen.kinds == ["done", "error", None, None]
    assert seen.error["type"] == "SIGKILL"


@pytest.mark.parametrize("mode", ["referee", "inside"])
def test_the_rest_of_a_script_of_asserts_does_not_run_after_its_process_has_ended(mode):
    seen = observations(4, mode)
    left, _ = seen.add_records([record(DONE, 0)], [0, 1, 2, 3], False)
    seen.add_end([0, 1, 2, 3], left, False, EXITED_3, timed_out)
    assert seen.kinds == ["done", "timeout", "not_run", "not_run"]


def test_too_much_output_counts_for_the_test_that_ran_last():
    seen = observations(3)
    left, _ = seen.add_records([record(DONE, 0), record(DONE, 1)], [0, 1, 2], False)
    seen.add_end([0, 1, 2], left, True, KILLED, end)
    assert (seen.kinds, seen.error) == (["done", "done", "error"], TOO_MUCH_OUTPUT)
    seen = observations(2)
    left, _ = seen.add_records([record(DONE, 0), record(DONE, 1)], [0, 1], False)
    seen.add_end([0, 1], left, True, EXITED_0, end)
    assert (seen.kinds, seen.error) == (["done", "error"], TOO_MUCH_OUTPUT)


def test_an_error_explains_too_much_output_by_itself():
    seen = observations(2)
    left, _ = seen.add_records([record(ERROR, 0, VALUE_ERROR), record(DONE, 1)], [0, 1], False)
    seen.add_end([0, 1], left, True, EXITED_0, end)
    assert (seen.kinds, seen.error) == (["error", "done"], VALUE_ERROR)


def test_an_error_in_a_full_file_is_that_of_too_much_output():
    seen = observations(1)
    seen.add_records([record(ERROR, 0, VALUE_ERROR)], [0], True)
    assert seen.error == TOO_MUCH_OUTPUT


def test_timeouts_with_less_time_than_promised_are_withdrawn():
    seen = observations(4)
    for index, kind in enumerate(["timeout", "error", "timeout", "done"]):
        seen.observe(index, kind)
    seen.withdraw_timeouts([1, 2, 3])
    assert seen.kinds == ["timeout", "error", "not_run", "done"]


def test_nothing_is_left_in_the_memory_of_a_process_that_forgets():
    seen = observations(3)
    seen.forget()
    assert vars(seen) == {}


def test_time_of_earlier_requests_counts():
    seen = observations(1, num_tests=5, spent=(2.0, 30.0))
    seen.cpu = 0.5
    assert seen.total_cpu == 2.5
    assert 30.0 <= seen.total_wall < 31.0
    assert seen.reply()["cpu"] == 0.5
    assert seen.reply()["wall"] < 1.0
    assert seen.num_tests == 5


KINDS = [DONE, ERROR]
SEQUENCES = [
    records
    for length in range(4)
    for records in itertools.product(itertools.product(KINDS, (-1, 0, 1)), repeat=length)
]


@pytest.mark.parametrize("is_script", [False, True])
def test_in_any_order_of_records_tests_end_one_by_one(is_script):
    for sequence in SEQUENCES:
        expected, turn = [None, None], 0  # the slow reference: only the test whose turn it is can end
        for kind, test in sequence:
            if turn < 2 and kind == ERROR and test == -1:
                expected[turn:], turn = ["error"] * (2 - turn), 2
            elif turn < 2 and test == turn:
                expected[turn], turn = ("done" if kind == DONE else "error"), turn + 1
        if turn < 2:
            expected[turn] = "timeout"
            expected[turn + 1 :] = ["not_run" if is_script else None] * (1 - turn)
        seen = observations(2, "inside" if is_script else "expression")
        left, values = seen.add_records([record(kind, test, VALUE_ERROR) for kind, test in sequence], [0, 1], False)
        seen.add_end([0, 1], left, False, KILLED, timed_out)
        assert seen.kinds == expected, sequence
        assert sorted(values) == [index for index, kind in enumerate(expected) if kind == "done"]


def test_reports_of_a_script_settle_its_tests_in_order():
    seen = observations(5, "stdin")
    reports = [
        report(RecordKind.LOADED),
        report(DONE, output=(0, 3)),
        report(DONE, EXITED_3, VALUE_ERROR, output=(3, 2)),
        report(DONE, KILLED),
        report(DONE, printed_too_much=True, output=(5, 9)),
    ]
    left = seen.add_reports(reports, [0, 1, 2, 3, 4], end)
    assert (seen.kinds, left) == (["done", "error", "error", "error", None], [4])
    assert seen.stdout == [(0, 3), (3, 2), (0, 0), (5, 9), (0, 0)]
    assert seen.error == VALUE_ERROR


@pytest.mark.parametrize(
    ("status", "error_type"), [(KILLED, "SIGKILL"), (EXITED_3, "SystemExit")], ids=["signal", "exit code"]
)
def test_a_script_that_ends_without_a_report_has_the_error_of_its_status(status, error_type):
    seen = observations(1, "stdin")
    seen.add_reports([report(DONE, status)], [0], end)
    assert (seen.kinds, seen.error["type"]) == (["error"], error_type)


def test_a_script_that_does_not_compile_runs_no_test():
    seen = observations(2, "stdin")
    reports = [report(RecordKind.SYNTAX_ERROR, content=SYNTAX_ERROR), report(RecordKind.SITE, content=SITE)]
    assert seen.add_reports(reports, [0, 1], end) == [0, 1]
    assert (seen.compiled, seen.error, seen.sites) == (False, SYNTAX_ERROR, {"error": SITE})


@pytest.mark.parametrize(
    ("stopped", "status", "is_log_full", "error_type", "message"),
    [
        (None, signal.SIGSEGV.value, False, "SIGSEGV", "killed by a signal"),
        (None, signal.SIGSEGV.value | 0x80, False, "SIGSEGV", "killed by a signal"),  # with a core file
        (None, 40, False, "signal 40", "killed by a signal"),
        (None, EXITED_3, False, "SystemExit", "the process ended with exit code 3"),
        (None, EXITED_0, False, "SystemExit", "the process ended with exit code 0"),
        (None, EXITED_0, True, TOO_LARGE_ANSWER["type"], TOO_LARGE_ANSWER["message"]),
        (None, signal.SIGKILL.value, True, "SIGKILL", "killed by a signal"),
        ("ProcessLimitExceeded", KILLED, False, "ProcessLimitExceeded", "killed by the sandbox"),
        ("FileLimitExceeded", EXITED_0, True, "FileLimitExceeded", "killed by the sandbox"),
    ],
)
def test_the_error_of_an_end_is_that_of_its_strongest_cause(stopped, status, is_log_full, error_type, message):
    error = error_of_end(stopped, status, is_log_full)
    assert error == {"phase": "run", "type": error_type, "message": message, "position": None}
