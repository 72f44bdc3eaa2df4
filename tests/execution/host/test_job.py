"""A job writes the requests for one program and turns made-up replies into its report, without a worker."""

import json

import pytest
from support import span_at

from trl_rltf.execution import Outcome, Verdict, parse_tests
from trl_rltf.execution.host.job import Job


STDIN = {"inputs": ["1\n", "2\n", "3\n"], "outputs": ["1", "4", "9"]}
CALL = {"fn_name": "f", "inputs": [[1], [2], [3]], "outputs": [1, 4, 9]}
NOT_SPLIT = {"asserts": ["assert f(2) + 0 == 4", "assert f(3) + 0 == 9"]}
INSIDE = {"asserts": ["assert f(1) == g(1)", "assert f(2) == g(2)"]}


def job_of(tests, stop_on_first_failure=False, checker=None):
    return Job("source text", parse_tests(tests, checker=checker), stop_on_first_failure=stop_on_first_failure)


def reply(*results, **fields):
    """A reply and the bytes after it, for results of the form `(kind, values, stdout)`."""
    data, tests = b"", []
    for kind, values, stdout in results:
        start = len(data)
        data += values + stdout
        tests.append({"kind": kind, "values": (start, len(values)), "stdout": (start + len(values), len(stdout))})
    head = {"tests": tests, "error": None, "trailing": None, "compiled": True, "cpu": 0.25, "memory": 7, "wall": 0.5}
    head.update(fields)
    return head, memoryview(data)


def error(**fields):
    return {
        **{"phase": "run", "type": "KeyError", "message": "'a'", "position": None},
        **{"detail": "", "span": None, "expression_span": None, **fields},
    }


def printed(text):
    return "done", b"", text.encode()


def returned(value):
    return "done", json.dumps([value]).encode(), b""


DID_NOT_RUN = ("not_run", b"", b"")


def graded(tests, *results, **fields):
    job = job_of(tests)
    job.request()
    job.receive(*reply(*results, **fields))
    return job.report


def test_the_request_describes_all_tests():
    assert job_of(STDIN).request() == {
        "mode": "stdin",
        "num_sent": 3,
        "num_tests": 3,
        "spent": (0.0, 0.0),
        "process_per_test": False,
        "limits": {},
    }


def test_a_script_is_sent_with_its_inputs_one_after_the_other():
    job = job_of({"inputs": ["ab", "\n"], "outputs": ["", ""]})
    job.request()
    program, inputs = job.payloads()
    assert json.loads(program) == {"source": "source text"}
    assert inputs == b"\0\0\0\0\0\0\0\2ab" + b"\0\0\0\0\0\0\0\1\n"


def test_a_call_is_sent_with_its_arguments():
    job = job_of(CALL)
    job.request()
    program, referee = map(json.loads, job.payloads())
    assert program["source"] == "source text"
    assert program["mode"] == "call"
    assert program["probes"] == [{"call": "f", "arguments": [number]} for number in (1, 2, 3)]
    assert program["required"] == [["f", "Solution"]]
    assert referee == {}


def test_the_tests_of_a_referee_are_not_sent_to_the_program():
    job = job_of(NOT_SPLIT)
    assert job.request()["mode"] == "referee"
    program, referee = map(json.loads, job.payloads())
    assert program["probes"] == [{}, {}]
    assert referee["statements"] == NOT_SPLIT["asserts"]
    assert referee["names"] == ["f"]


@pytest.mark.parametrize(
    "tests",
    [
        {"inputs": ["1"], "outputs": ["918273645"]},
        {"fn_name": "f", "inputs": [[1]], "outputs": [918273645]},
        {"asserts": ["assert f(1) == 918273645"]},
        {"asserts": ["assert abs(f(1) - 918273645) < 1e-6", "assert 918273645 in f(2)"]},
    ],
)
def test_no_expected_output_is_sent(tests):
    job = job_of(tests)
    sent = json.dumps(job.request()).encode() + b"".join(job.payloads())
    assert b"918273645" not in sent


def test_printed_output_is_compared():
    report = graded(STDIN, printed("1\n"), printed("5\n"), printed("9.0"))
    assert report.verdicts == (Verdict.PASSED, Verdict.FAILED, Verdict.PASSED)
    assert report.outcome is Outcome.FAILURE
    assert report.stdout == "5\n"


def test_returned_values_are_compared():
    report = graded(CALL, returned(1), returned(4), returned(9))
    assert report.verdicts == (Verdict.PASSED,) * 3
    assert (report.outcome, report.error_type, report.cpu_seconds, report.wall_seconds) == (
        Outcome.PASS,
        None,
        0.25,
        0.5,
    )


@pytest.mark.parametrize("values", [b"", b"{", b"[]", b"7", b'{"a": 1}', b"null", b"[" * 1000, b"\xff"])
def test_an_answer_that_cannot_be_read_is_wrong(values):
    report = graded(CALL, ("done", values, b""), returned(4), returned(9))
    assert report.verdicts == (Verdict.FAILED, Verdict.PASSED, Verdict.PASSED)


def test_each_kind_of_end_has_its_verdict():
    report = graded(CALL, ("error", b"", b""), ("timeout", b"", b""), DID_NOT_RUN, error=error(type="TimeoutError"))
    assert report.verdicts == (Verdict.ERROR, Verdict.TIMEOUT, Verdict.NOT_RUN)
    assert report.outcome is Outcome.RUNTIME_ERROR
    assert report.num_run == 2


def test_a_program_that_does_not_compile_has_a_syntax_error():
    report = graded(
        CALL, *[("error", b"", b"")] * 3, compiled=False, error=error(type="SyntaxError", detail="truncated")
    )
    assert (report.outcome, report.error_type, report.error_detail) == (
        Outcome.SYNTAX_ERROR,
        "SyntaxError",
        "truncated",
    )


def test_an_error_is_reported_with_its_place():
    found = error(span=[1, 2, 3, 4], expression_span=[1, 2, 1, 5], message="m" * 1000)
    report = graded(CALL, ("error", b"", b""), returned(4), returned(9), error=found)
    assert (report.span, report.expression_span) == (span_at(1, 2, 3, 4), span_at(1, 2, 1, 5))
    assert report.error_message == "m" * 500


def test_an_error_in_trailing_code_does_not_change_the_outcome():
    report = graded(CALL, returned(1), returned(4), returned(9), trailing=error(type="NameError", span=[9, 0, 9, 3]))
    assert (report.outcome, report.error_type) == (Outcome.PASS, None)
    assert (report.trailing_error_type, report.trailing_error_message) == ("NameError", "'a'")
    assert report.trailing_span == span_at(9, 0, 9, 3)
    assert report.whole_module_outcome is Outcome.RUNTIME_ERROR


def test_only_tests_in_the_process_of_the_program_are_self_graded():
    done = ("done", b"[true]", b"")
    assert graded(INSIDE, done, ("error", b"", b""), error=error()).self_graded_tests == (0,)
    assert graded(NOT_SPLIT, done, done).self_graded_tests == ()


def test_the_report_shows_2000_characters_of_output():
    assert graded(STDIN, printed("é" * 9000), printed("4"), printed("9")).stdout == "é" * 2000


def test_output_that_is_not_utf8_is_shown_with_replacements():
    assert graded(STDIN, ("done", b"", b"\xff!"), printed("4"), printed("9")).stdout == "\ufffd!"


@pytest.mark.filterwarnings("ignore:The checker raised ZeroDivisionError")
def test_a_checker_decides_and_its_error_is_a_wrong_answer():
    def checker(text, answer, expected):
        return 1 // (text != "2\n") and answer.strip() == f"<{expected}>"

    job = job_of(STDIN, checker=checker)
    job.request()
    job.receive(*reply(printed("<1>"), printed("<4>"), printed("9")))
    assert job.report.verdicts == (Verdict.PASSED, Verdict.FAILED, Verdict.FAILED)


def test_tests_are_sent_in_groups_of_growing_size_until_one_fails():
    tests = {"inputs": [str(number) for number in range(9)], "outputs": ["x"] * 9}
    job, sizes = job_of(tests, stop_on_first_failure=True), []
    for answers in (["x"], ["x", "x"], ["x", "y", "x", "x"]):
        request = job.request()
        sizes.append((request["num_sent"], request["num_tests"], request["spent"]))
        assert job.num_tests_sent == len(answers)
        job.receive(*reply(*map(printed, answers), memory=8 - len(answers)))
    assert sizes == [(1, 9, (0.0, 0.0)), (2, 9, (0.25, 0.5)), (4, 9, (0.5, 1.0))]
    assert job.report.verdicts == (
        *[Verdict.PASSED] * 4,
        Verdict.FAILED,
        *[Verdict.PASSED] * 2,
        *[Verdict.NOT_RUN] * 2,
    )
    assert (job.report.cpu_seconds, job.report.wall_seconds, job.report.peak_memory) == (0.75, 1.5, 7)


def test_the_first_error_is_reported():
    job = job_of(STDIN, stop_on_first_failure=True)
    for results, name in ([printed("1")], "first"), ([printed("4"), printed("9")], "second"):
        job.request()
        job.receive(*reply(*results, error=error(type=name), trailing=error(type=name)))
    assert (job.report.error_type, job.report.trailing_error_type) == ("first", "first")


def test_a_group_that_passes_is_followed_by_the_next():
    job = job_of(STDIN, stop_on_first_failure=True)
    job.request()
    job.receive(*reply(printed("1")))
    assert job.report is None
    assert job.request()["num_sent"] == 2
    assert job.payloads()[1] == b"\0\0\0\0\0\0\0\0022\n" + b"\0\0\0\0\0\0\0\0023\n"


def test_asserts_that_are_one_script_are_sent_at_once():
    assert job_of(NOT_SPLIT, stop_on_first_failure=True).request()["num_sent"] == 2
    assert job_of(INSIDE, stop_on_first_failure=True).request()["num_sent"] == 2


def test_a_job_that_is_given_up_has_no_verdict():
    job = job_of(STDIN)
    job.request()
    job.give_up("reason " * 100)
    assert (job.report.outcome, job.report.verdicts) == (Outcome.NOT_GRADABLE, (Verdict.NOT_RUN,) * 3)
    assert len(job.report.error_message) == 500


def test_a_reply_with_a_wrong_number_of_tests_is_an_error():
    job = job_of(STDIN)
    job.request()
    with pytest.raises(ValueError, match="shorter"):
        job.receive(*reply(printed("1")))
