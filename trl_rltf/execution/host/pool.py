"""
Keep worker processes busy from one thread.

No failure of a worker, of a checker or of the grader itself may lose a job or let a caller wait forever: each job ends
with a report, and each batch with its reports or a [`~execution.errors.SandboxError`].
"""

from __future__ import annotations

import atexit
import contextlib
import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from .job import Job
from .worker_handle import WorkerHandle


_POLL_SECONDS = 1.0  # between checks of the deadlines of workers
_MAX_FAILED_STARTS = 3


class Batch:
    """
    Jobs that were submitted together.

    Args:
        jobs (`Sequence[Job]`): Distinct programs.

    Attributes:
        failure (`str`): Why the sandbox cannot continue; empty while it can.
        server (`threading.Thread` or `None`): The thread that runs the jobs.
    """

    def __init__(self, jobs: Sequence[Job]):
        self.jobs = list(jobs)
        self.failure = ""
        self.server: threading.Thread | None = None
        self._num_open = len(self.jobs)
        self._awaited: Job | None = None
        self._changed = threading.Condition()

    def wait(self, job: Job | None = None) -> None:
        """Wait until one job, or all jobs, have a report."""
        with self._changed:
            self._awaited = job
            while self._num_open > 0 and (job is None or job.report is None):
                # With a time limit, because Ctrl-C may have gone to another thread, which does not wake this one.
                self._changed.wait(_POLL_SECONDS)
                if self.server is not None and not self.server.is_alive() and self._num_open > 0:
                    self.failure = self.failure or "The thread that runs the workers has ended."
                    self._num_open = 0

    def mark_done(self, job: Job) -> None:
        """Count a job that has its report, and wake the caller who waits for it."""
        with self._changed:
            self._num_open -= 1
            if self._num_open == 0 or job is self._awaited:
                self._changed.notify_all()


class WorkerPool:
    """
    Run jobs on worker processes. All methods may be called from any thread.

    Args:
        num_workers (`int`): Number of workers at a time. A worker starts when it is needed, and keeps running.
        start_worker (`Callable[[], WorkerHandle]`): Starts one worker.
        wall_timeout (`float`): Elapsed seconds per test, where a program has no other limit. A worker that is silent for much
            longer is considered hung.
    """

    def __init__(self, num_workers: int, start_worker: Callable[[], WorkerHandle], wall_timeout: float):
        self._num_workers = num_workers
        self._start_worker = start_worker
        self._wall_timeout = wall_timeout
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Job, Batch]] = deque()
        self._cancelled: set[Batch] = set()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._wake_receive, self._wake_send = os.pipe()
        os.set_blocking(self._wake_receive, False)
        os.set_blocking(self._wake_send, False)
        # Only the thread of the pool touches these.
        self.workers: list[WorkerHandle] = []
        self._busy: dict[WorkerHandle, tuple[Job, Batch]] = {}
        self._sending: set[WorkerHandle] = set()  # those with a request of which a part is not written
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake_receive, selectors.EVENT_READ)
        self._num_failed_starts = 0

    def submit(self, batch: Batch) -> bool:
        """
        Queue the jobs of a batch.

        Returns `False` if the pool is closed, which accepts no jobs.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("A checker cannot grade programs with the runner that calls it. Use another runner.")
        with self._lock:
            if self._closing:
                return False
            if self._thread is None:
                thread = threading.Thread(target=self._serve, name="trl-rltf workers", daemon=True)
                thread.start()
                self._thread = thread
                # An interpreter that ends while the thread runs may abort.
                atexit.register(self.close)
            batch.server = self._thread
            self._waiting += [(job, batch) for job in batch.jobs]
        self._wake()
        return True

    def cancel(self, batch: Batch) -> None:
        """Give up the open jobs of a batch. All of them have a report when this returns."""
        with self._lock:
            self._cancelled.add(batch)
        self._wake()
        if threading.current_thread() is not self._thread:  # the garbage collector may call this in that thread
            batch.wait()

    def close(self) -> None:
        """End the thread and all workers, and give up all open jobs."""
        atexit.unregister(self.close)
        with self._lock:
            self._closing = True
            thread = self._thread
        self._wake()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        with contextlib.suppress(OSError):
            os.close(self._wake_receive)
            os.close(self._wake_send)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._wake_send, b"!")

    def _serve(self) -> None:
        reason, is_failure = "The runner was closed.", False
        try:
            while True:
                with self._lock:
                    if self._closing:
                        break
                    cancelled, self._cancelled = self._cancelled, set()
                for batch in cancelled:
                    self._give_up(batch, "The grading was interrupted.")
                self._assign()
                self._advance_all()
        except BaseException as error:  # each caller that waits gets it, as a `SandboxError`
            reason, is_failure = _failure(error), True
        finally:
            with self._lock:
                self._closing = True
            self._give_up(None, reason, is_failure)
            for worker in self.workers:
                with contextlib.suppress(Exception):
                    worker.close()
            self.workers.clear()
            self._selector.close()

    def _advance_all(self) -> None:
        # Poll also while jobs wait without a worker: a start that failed may succeed in a moment.
        ready = self._selector.select(timeout=_POLL_SECONDS if self._busy or self._waiting else None)
        now = time.monotonic()  # before a slow checker makes the other workers look late
        for key, events in ready:
            if key.fd == self._wake_receive:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_receive, 4096)
            elif key.data in self._busy:
                self._advance(key.data, events)
            elif key.data in self.workers:  # it has ended, or it writes although nothing was asked
                self._discard(key.data)
        for worker in [worker for worker in self._busy if now > worker.deadline]:
            self._replace(worker)

    def _assign(self) -> None:
        idle = [worker for worker in self.workers if worker not in self._busy]
        assigned = []
        while self._waiting and (idle or len(self.workers) < self._num_workers):
            worker = idle.pop() if idle else self._try_to_start()
            if worker is None:
                break
            if not worker.is_alive():
                self._discard(worker)
                continue
            with self._lock:
                job, batch = self._waiting.popleft()
            try:
                parts = job.request(), job.payloads()
            except BaseException as error:
                self._end(job, batch, _failure(error))
                idle.append(worker)
                continue
            self._busy[worker] = job, batch
            try:
                wall_timeout = parts[0]["limits"].get("wall_timeout", self._wall_timeout)
                worker.queue(*parts, wall_timeout * (job.num_tests_sent + 1))
            except BaseException as error:
                self._fail_job(worker, error)
                continue
            assigned.append(worker)
        # At the end, so that a program whose worker has died is not assigned at once to another one that has died.
        for worker in assigned:
            if worker in self._busy:
                self._advance(worker, selectors.EVENT_WRITE)

    def _try_to_start(self) -> WorkerHandle | None:
        num_workers = len(self.workers)
        try:
            self.workers.append(self._start_worker())
            self._selector.register(self.workers[-1].reply, selectors.EVENT_READ, self.workers[-1])
        except Exception as error:
            for worker in self.workers[num_workers:]:
                self._discard(worker)
            reason = str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            self._on_start_failure(f"{reason}. Is the machine out of processes, memory or open files?")
            return None
        return self.workers[-1]

    def _on_start_failure(self, reason: str) -> None:
        """
        Continue with the workers that run. If there are none, fail all batches.

        A failure is raised where the callers wait: a broken sandbox must not look like a failed program.
        """
        self._num_failed_starts += 1
        if any(worker.is_ready for worker in self.workers):
            self._num_workers = max(1, len(self.workers))
        elif self._num_failed_starts >= _MAX_FAILED_STARTS:
            self._num_failed_starts = 0
            message = f"A worker of the sandbox did not start: {reason}"
            for batch in {batch for _, batch in [*self._waiting, *self._busy.values()]}:
                batch.failure = message
                self._give_up(batch, message)

    def _advance(self, worker: WorkerHandle, events: int) -> None:
        job, batch = self._busy[worker]
        try:
            if events & selectors.EVENT_WRITE:
                self._send(worker)
            if not events & selectors.EVENT_READ or (reply := worker.receive()) is None:
                return
            self._num_failed_starts = 0
            job.receive(*reply)
        except (OSError, EOFError, ValueError, KeyError, TypeError, RecursionError):
            self._replace(worker)
            return
        except BaseException as error:  # a checker may raise anything
            self._fail_job(worker, error)
            return
        self._release(worker)
        if reply[0].get("retire"):
            self._discard(worker)
        if job.report is not None:
            batch.mark_done(job)
        else:
            with self._lock:
                self._waiting.appendleft((job, batch))

    def _send(self, worker: WorkerHandle) -> None:
        """Write as much as the pipe takes, and wait for room for the rest."""
        if worker.send():
            self._stop_sending(worker)
        elif worker not in self._sending:
            self._sending.add(worker)
            self._selector.register(worker.request, selectors.EVENT_WRITE, worker)

    def _stop_sending(self, worker: WorkerHandle) -> None:
        if worker in self._sending:
            self._sending.remove(worker)
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(worker.request)

    def _release(self, worker: WorkerHandle) -> tuple[Job, Batch]:
        self._stop_sending(worker)
        return self._busy.pop(worker)

    def _discard(self, worker: WorkerHandle) -> None:
        self.workers.remove(worker)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(worker.reply)
        with contextlib.suppress(Exception):
            worker.kill()

    def _replace(self, worker: WorkerHandle) -> None:
        """Discard a worker that died or hangs, and run its program once more."""
        self._wake()  # to assign the program without waiting for another event
        stderr = worker.stderr_tail()
        job, batch = self._release(worker)
        self._discard(worker)
        if not worker.is_ready:  # no program has run in it
            with self._lock:
                self._waiting.appendleft((job, batch))
            self._on_start_failure(stderr or "it printed nothing")
            return
        job.num_deaths += 1
        if job.num_deaths < 2:
            with self._lock:
                self._waiting.appendleft((job, batch))
        else:
            reason = f"The worker process died twice while it graded this program. {stderr[-300:]}"
            self._end(job, batch, reason)

    def _fail_job(self, worker: WorkerHandle, error: BaseException) -> None:
        """
        End a job after an error in this process.

        Its worker may be in the middle of a message, and is discarded.
        """
        job, batch = self._release(worker)
        self._discard(worker)
        self._end(job, batch, _failure(error))

    def _give_up(self, batch: Batch | None, reason: str, is_failure: bool = False) -> None:
        """
        Give up the open jobs of a batch, or of all batches.

        A worker in the middle of a job cannot be used again.
        """
        with self._lock:
            open_jobs = [(job, owner) for job, owner in self._waiting if batch in (None, owner)]
            self._waiting = deque((job, owner) for job, owner in self._waiting if batch not in (None, owner))
        for worker in [worker for worker, (_, owner) in self._busy.items() if batch in (None, owner)]:
            open_jobs.append(self._release(worker))
            self._discard(worker)
        for job, owner in open_jobs:
            if is_failure:
                owner.failure = reason
            self._end(job, owner, reason)

    @staticmethod
    def _end(job: Job, batch: Batch, reason: str) -> None:
        try:
            job.give_up(reason)
        finally:
            batch.mark_done(job)


def _failure(error: BaseException) -> str:
    try:
        return f"The grader itself failed: {type(error).__name__}: {error}"
    except Exception:  # the error of a checker may have no text
        return f"The grader itself failed: {type(error).__name__}"
