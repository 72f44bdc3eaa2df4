"""One real worker is started, fed and ended, and its messages have the fields that are described."""

import json
import os
import select
import signal
import time
import typing

import pytest

from trl_rltf.execution import parse_tests
from trl_rltf.execution.host.job import Job
from trl_rltf.execution.host.worker_handle import WorkerHandle
from trl_rltf.execution.sandbox.isolation import choose_isolation
from trl_rltf.execution.wire import messages
from trl_rltf.execution.wire.frames import HEADER, parse_frame


LIMITS = {
    **{"timeout": 2.0, "wall_timeout": 6.0, "program_timeout": None, "memory_limit": 2**28},
    **{"output_limit": 2**20, "max_processes": 8},
}
CALL = {"fn_name": "f", "inputs": [[1], [2]], "outputs": [1, 4]}


@pytest.fixture
def worker():
    handle = WorkerHandle(choose_isolation("process"), LIMITS)
    yield handle
    handle.kill()


def ask(worker, job, seconds=60.0):
    """Send the next request of a job and wait for the reply."""
    worker.queue(job.request(), job.payloads(), seconds)
    while not worker.send():
        time.sleep(0.01)
    while True:
        assert select.select([worker.reply], [], [], seconds)[0], "the worker is silent"
        if (reply := worker.receive()) is not None:
            return reply


def has_fields(message, kind):
    """Whether a message has all required fields of a typed dictionary and no undeclared one."""
    fields = typing.get_type_hints(kind, include_extras=True)
    required = {name for name, hint in fields.items() if typing.get_origin(hint) is not typing.NotRequired}
    return required <= set(message) <= set(fields)


def test_the_first_messages_have_the_fields_that_are_described(any_runner):
    worker = WorkerHandle(any_runner.sandbox, LIMITS)
    try:
        config, _ = parse_frame(bytes(worker._outgoing[HEADER.size :]))
        assert has_fields(config, messages.WorkerConfig)
        assert config["own_root"] is None or has_fields(config["own_root"], messages.OwnRoot)
        assert config["file_rules"] is None or has_fields(config["file_rules"], messages.FileRuleArguments)
        assert worker.send()
        assert select.select([worker.reply], [], [], 60)[0], "the worker is silent"
        hello, _ = parse_frame(os.read(worker.reply.fileno(), 2**16)[HEADER.size :])
        assert has_fields(hello, messages.Hello)
    finally:
        worker.kill()


def test_a_reply_has_the_fields_that_are_described(worker):
    head, _ = ask(worker, Job("def f(x):\n    return [][x]\n1 / 0", parse_tests(CALL)))
    assert has_fields(head, messages.ReplyHead)
    assert len(head["tests"]) == 2
    assert all(has_fields(test, messages.CaseResult) for test in head["tests"])
    assert has_fields(head["error"], messages.LocatedError)
    assert has_fields(head["trailing"], messages.LocatedError)
    assert (head["error"]["type"], head["trailing"]["type"]) == ("IndexError", "ZeroDivisionError")


@pytest.mark.parametrize(
    "tests",
    [
        CALL,
        {"asserts": ["assert f(1) + 0 == 1"]},
        {"asserts": ["assert f(1) == g(1)"]},
        {"asserts": ["assert f(1) == 1"]},
    ],
)
def test_the_payloads_have_the_fields_that_are_described(tests):
    job = Job("source", parse_tests(tests))
    assert has_fields(job.request(), messages.Request)
    program, referee = map(json.loads, job.payloads())
    assert has_fields(program, messages.ProgramPayload)
    assert all(set(probe) <= set(messages.Probe.__annotations__) for probe in program["probes"])
    assert not referee or has_fields(referee, messages.RefereePayload)


def test_the_bytes_after_a_reply_hold_values_and_output(worker):
    head, data = ask(worker, Job("def f(x):\n    print(x)\n    return x * x", parse_tests(CALL)))
    values = [bytes(data[start : start + size]) for start, size in (test["values"] for test in head["tests"])]
    assert values == [b"[1]", b"[4]"]
    start, size = head["tests"][-1]["stdout"]
    assert bytes(data[start : start + size]) == b"1\n2\n"


def test_one_worker_grades_several_programs(worker):
    for number in range(3):
        job = Job(f"def f(x):\n    return x * x + {number}", parse_tests(CALL))
        job.receive(*ask(worker, job))
        assert job.report.num_passed == (2 if number == 0 else 0)


def test_the_deadline_includes_the_start_until_the_worker_is_ready(worker):
    job = Job("def f(x):\n    return x", parse_tests(CALL))
    assert worker.deadline == float("inf")
    assert not worker.is_ready
    ask(worker, job, seconds=5.0)
    first = worker.deadline
    assert worker.is_ready
    ask(worker, job, seconds=5.0)
    assert 60 < first - time.monotonic() <= 95
    assert 30 < worker.deadline - time.monotonic() <= 35


def test_a_worker_that_ended_is_an_end_of_file(worker):
    ask(worker, Job("def f(x):\n    return x", parse_tests(CALL)))
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    assert not worker.is_alive()
    with pytest.raises(EOFError):
        worker.receive()


def test_the_error_stream_of_a_worker_is_kept(worker):
    # A message that is not JSON ends the worker with a traceback.
    worker._outgoing = memoryview(b"\x00\x00\x00\x08" + b"\x00\x00\x00\x04" + b"oops")
    assert worker.send()
    worker.process.wait(timeout=60)
    assert "JSONDecodeError" in worker.stderr_tail()
    assert len(worker.stderr_tail()) <= 2000


def test_the_folder_of_a_worker_that_was_killed_is_removed(worker):
    ask(worker, Job("def f(x):\n    return x", parse_tests(CALL)))
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    assert os.path.isdir(worker._scratch)
    worker.kill()
    assert not os.path.exists(worker._scratch)


@pytest.mark.parametrize("end", ["close", "kill"])
def test_a_worker_that_is_ended_leaves_no_process_and_no_folder(worker, end):
    ask(worker, Job("def f(x):\n    return x", parse_tests(CALL)))
    folder = worker._scratch
    assert os.path.isdir(folder)
    getattr(worker, end)()
    assert not worker.is_alive()
    assert not os.path.exists(folder)
