"""No failure in the grading process loses a job or lets a caller wait for ever."""

import os
import selectors
import signal
import threading

import pytest
from processes import wait_until
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.execution import LocalRunner, Outcome, Program, SandboxError
from trl_rltf.execution.host import pool
from trl_rltf.execution.host.job import Job
from trl_rltf.execution.host.pool import Batch, WorkerPool
from trl_rltf.execution.host.worker_handle import WorkerHandle


ERRORS = [MemoryError, SystemExit, KeyboardInterrupt, RecursionError, RuntimeError, OSError, GeneratorExit]
WAIT = 60  # seconds, a lost job would never end


def good(number):
    return Program(f"{SUM_PROGRAM}# {number}", SUM_TESTS)


@pytest.fixture
def local():
    with LocalRunner(num_workers=2, timeout=2.0, isolation="process") as runner:
        yield runner


def fail_for(monkeypatch, owner, name, error, is_bad):
    """Let a method raise if `is_bad` is true for its owner and its arguments."""
    original = getattr(owner, name)

    def method(self, *arguments):
        if is_bad(self, *arguments):
            raise error
        return original(self, *arguments)

    monkeypatch.setattr(owner, name, method)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("name", ["request", "payloads", "receive"])
def test_an_error_in_a_job_ends_only_this_job(local, monkeypatch, name, error):
    fail_for(monkeypatch, Job, name, error("full"), lambda job, *_: job._source.endswith("# 1"))
    reports = local.submit([good(i) for i in range(4)]).result(timeout=WAIT)
    outcomes = [report.outcome for report in reports]
    assert outcomes == [Outcome.PASS, Outcome.NOT_GRADABLE, Outcome.PASS, Outcome.PASS]
    assert reports[1].error_message
    assert local.submit([good(5)]).result(timeout=WAIT)[0].outcome is Outcome.PASS


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("name", ["queue", "send", "receive"])
def test_an_error_in_the_talk_with_a_worker_costs_only_this_worker(local, monkeypatch, name, error):
    local.submit([good(0)]).result(timeout=WAIT)
    errors = iter([True])
    fail_for(monkeypatch, WorkerHandle, name, error("broken"), lambda *_: next(errors, False))
    outcomes = [report.outcome for report in local.submit([good(i) for i in range(4)]).result(timeout=WAIT)]
    assert outcomes.count(Outcome.PASS) >= 3
    assert set(outcomes) <= {Outcome.PASS, Outcome.NOT_GRADABLE}


@pytest.mark.parametrize("error", [MemoryError, ValueError, OSError])
def test_a_worker_that_can_neither_start_nor_end_is_an_error_of_the_sandbox(local, monkeypatch, error):
    def fails(*_):
        raise error("no room")

    monkeypatch.setattr(WorkerHandle, "_start", fails)
    with pytest.raises(SandboxError, match="no room"):
        local.submit([good(0)]).result(timeout=WAIT)


@pytest.mark.parametrize("error", [MemoryError, SystemExit])
@pytest.mark.parametrize("name", ["_assign", "_advance_all", "_give_up"])
def test_an_error_of_the_pool_itself_is_raised_where_callers_wait(local, monkeypatch, name, error):
    original = getattr(WorkerPool, name)
    local.submit([good(0)]).result(timeout=WAIT)
    with monkeypatch.context() as patch:

        def fails(self, *arguments):
            raise error("broken")

        if name == "_give_up":
            patch.setattr(WorkerPool, "_assign", fails)
            # The first call, that is, the one that would tell the callers.
            calls = iter([True])
            patch.setattr(WorkerPool, name, lambda *a: fails(*a) if next(calls, False) else original(*a))
            patch.setattr(threading, "excepthook", lambda _: None)
        else:
            patch.setattr(WorkerPool, name, fails)
        with pytest.raises(SandboxError, match=r"broken|has ended") as caught:
            local.submit([good(1), good(2)]).result(timeout=WAIT)
    assert [report.outcome for report in caught.value.reports] == [Outcome.NOT_GRADABLE] * 2
    assert local.submit([good(3)]).result(timeout=WAIT)[0].outcome is Outcome.PASS


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit, MemoryError, RecursionError, SystemExit])
@pytest.mark.filterwarnings("ignore:The checker raised")
def test_an_error_of_a_checker_ends_only_its_program(local, error):
    def checker(*_):
        raise error("no")

    bad = Program(SUM_PROGRAM, SUM_TESTS, checker=checker)
    reports = local.submit([good(0), bad, good(1)]).result(timeout=WAIT)
    assert [reports[0].outcome, reports[2].outcome] == [Outcome.PASS] * 2
    assert reports[1].outcome in (Outcome.FAILURE, Outcome.NOT_GRADABLE)
    assert reports[1].num_passed == 0


def test_an_error_without_a_text_ends_only_its_program(local):
    class Silent(BaseException):
        def __str__(self):
            raise RuntimeError

    def checker(*_):
        raise Silent

    reports = local.submit([Program(SUM_PROGRAM, SUM_TESTS, checker=checker), good(0)]).result(timeout=WAIT)
    assert [report.outcome for report in reports] == [Outcome.NOT_GRADABLE, Outcome.PASS]
    assert "Silent" in reports[0].error_message


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (Program(b"print(1)", SUM_TESTS), "program 1: `source` is of type bytes"),
        (Program(None, SUM_TESTS), "program 1: `source` is of type NoneType"),
        (Program(SUM_PROGRAM, None), "program 1: the tests are a NoneType"),
        (Program(SUM_PROGRAM, {"inputs": [b""], "outputs": [""]}), "program 1: the tests cannot be written as JSON"),
        (Program(SUM_PROGRAM, SUM_TESTS, checker="checker"), "program 1: `checker` is 'checker'"),
    ],
)
def test_a_batch_with_a_malformed_program_is_refused_when_it_is_submitted(local, program, message):
    for call in (local.run, local.stream, local.submit):
        with pytest.raises(ValueError, match=message):
            call([good(0), program])
    with pytest.raises(TypeError, match="program 0 is a tuple"):
        local.run([("print(1)", SUM_TESTS)])


def test_a_pool_that_is_closed_while_programs_are_submitted_is_replaced(local):
    local.run([good(0)])
    local._pool.close()
    assert local.submit([good(1)]).result(timeout=WAIT)[0].outcome is Outcome.PASS


def test_threads_that_close_and_grade_at_once_all_finish(local):
    reports = []

    def grade(number):
        for index in range(5):
            reports.append(local.run([good(f"{number} {index}")])[0].outcome)

    threads = [threading.Thread(target=grade, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        local.close()
        threads[0].join(0.2)
    assert len(reports) == 15
    assert set(reports) <= {Outcome.PASS, Outcome.NOT_GRADABLE}


class Done:
    """A job that only has a report or has none."""

    report = None


def test_a_batch_waits_until_its_last_job_is_done():
    jobs = [Done(), Done()]
    batch = Batch(jobs)
    waiting = threading.Thread(target=batch.wait)
    waiting.start()
    batch.mark_done(jobs[1])
    waiting.join(0.1)
    assert waiting.is_alive()
    batch.mark_done(jobs[0])
    waiting.join(WAIT)
    assert not waiting.is_alive()


def test_a_caller_can_wait_for_one_job_of_a_batch(monkeypatch):
    monkeypatch.setattr(pool, "_POLL_SECONDS", 1000.0)  # the caller is woken, and does not poll
    jobs = [Done(), Done()]
    batch = Batch(jobs)
    jobs[1].report = "a report"
    batch.wait(jobs[1])  # returns although the other job is open
    waiting = threading.Thread(target=batch.wait, args=(jobs[0],), daemon=True)
    waiting.start()
    jobs[0].report = "a report"
    batch.mark_done(jobs[0])
    waiting.join(WAIT)
    assert not waiting.is_alive()


def test_a_batch_whose_thread_has_ended_fails_instead_of_waiting():
    batch = Batch([Done()])
    batch.server = threading.Thread(target=lambda: None)
    batch.server.start()
    batch.server.join()
    batch.wait()
    assert batch.failure == "The thread that runs the workers has ended."


def idle_worker(local):
    """The only worker of a runner, once it is idle."""
    local.run([good(0)])
    (worker,) = local._pool.workers
    return worker


@pytest.fixture
def single():
    with LocalRunner(num_workers=1, timeout=2.0, isolation="process") as runner:
        yield runner


def test_a_worker_that_ends_while_it_is_idle_is_forgotten_at_once(single):
    worker = idle_worker(single)
    os.kill(worker.process.pid, signal.SIGKILL)
    assert wait_until(lambda: not single._pool.workers)
    assert single.run([good(1)])[0].outcome is Outcome.PASS


def test_a_worker_that_writes_although_it_is_idle_is_discarded(single):
    worker = idle_worker(single)
    with open(f"/proc/self/fd/{worker.reply.fileno()}", "wb") as pipe:
        pipe.write(b"unasked")
    assert wait_until(lambda: not single._pool.workers)
    assert single.run([good(1)])[0].outcome is Outcome.PASS


def test_a_request_that_is_larger_than_the_pipe_is_sent_in_parts(single):
    long = Program(f"{SUM_PROGRAM}# {'x' * 2**20}", SUM_TESTS)
    assert [report.outcome for report in single.run([long, good(1)])] == [Outcome.PASS] * 2
    assert not single._pool._sending
    assert len(single._pool.workers) == 1


def test_a_worker_that_dies_in_the_middle_of_a_request_is_replaced(single):
    worker = idle_worker(single)
    os.kill(worker.process.pid, signal.SIGSTOP)
    future = single.submit([Program(f"{SUM_PROGRAM}# {'x' * 2**20}", SUM_TESTS)])
    assert wait_until(lambda: worker in single._pool._sending)
    os.kill(worker.process.pid, signal.SIGKILL)
    assert future.result(timeout=WAIT)[0].outcome is Outcome.PASS
    assert not single._pool._sending


def test_many_workers_that_died_cost_a_program_at_most_one_of_its_two_runs(monkeypatch):
    """The pool does not notice in time that they died, as if all of them had just died."""
    with LocalRunner(num_workers=4, timeout=2.0, isolation="process") as local:
        local.run([good(i) for i in range(16)])
        workers = list(local._pool.workers)
        assert len(workers) == 4
        monkeypatch.setattr(WorkerHandle, "is_alive", lambda _: True)
        monkeypatch.setattr(WorkerHandle, "send", broken_for(workers, WorkerHandle.send))
        assert local.submit([good(20)]).result(timeout=WAIT)[0].outcome is Outcome.PASS


def broken_for(workers, send):
    """Write to a worker, unless it is one of those whose pipe is broken; the others of them are killed at the first try."""

    def write(self):
        if self not in workers:
            return send(self)
        for worker in workers:
            os.kill(worker.process.pid, signal.SIGKILL)
            worker.process.wait()
        raise BrokenPipeError

    return write


def test_a_worker_that_cannot_be_watched_is_ended(single, monkeypatch, short_waits):
    def register(self, *_):
        raise OSError("too many watches")

    started = []
    start = single._start_worker

    def start_worker():
        started.append(start())
        return started[-1]

    monkeypatch.setattr(single, "_start_worker", start_worker)
    single.submit([]).result(timeout=WAIT)  # the thread of the pool watches its own pipe already
    with monkeypatch.context() as patch:
        patch.setattr(selectors.DefaultSelector, "register", register)
        with pytest.raises(SandboxError, match="too many watches"):
            single.submit([good(0)]).result(timeout=WAIT)
    assert started
    assert all(worker.process.poll() is not None for worker in started)
    assert single.run([good(1)])[0].outcome is Outcome.PASS
