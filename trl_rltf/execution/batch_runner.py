"""Share what runners do: check programs, run equal ones once, wait for reports."""

from __future__ import annotations

import contextlib
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Protocol, Self

from .errors import GradingInterrupted, SandboxError
from .host.job import Job
from .host.pool import Batch
from .limits import check_program_limits
from .program import Program
from .progress import with_progress
from .report import ExecutionReport, Outcome
from .unit_tests.formats import Checker
from .unit_tests.parsed_tests import ParsedTests
from .unit_tests.unit_test import UnitTests


class Pool(Protocol):
    """Grades the jobs of batches in the background, as `WorkerPool` does."""

    def submit(self, batch: Batch) -> bool:
        """Queue the jobs of a batch. Returns `False` if the pool is closed."""
        ...

    def cancel(self, batch: Batch) -> None:
        """Give up the open jobs of a batch. All of them have a report when this returns."""
        ...

    def close(self) -> None:
        """Give up all open jobs, and end what grades them."""
        ...


class GradingFuture(Future[list[ExecutionReport]]):
    """
    Reports of programs that are being graded.

    Unlike another running future, it can be cancelled until it is done, so that a task that awaits it can be cancelled.

    Args:
        give_up (`Callable[[], None]`): Gives up the programs that are left. It may wait.
    """

    def __init__(self, give_up: Callable[[], None]):
        super().__init__()
        self._give_up = give_up

    def cancel(self) -> bool:
        """Give up the programs that are left. Returns `False` if all have a report."""
        if self.cancelled():
            return True
        if not super().cancel():
            return False
        # In a thread, because the caller may be an event loop.
        threading.Thread(target=self._give_up, name="trl-rltf cancel", daemon=True).start()
        return True


class BatchRunner(ABC):
    """
    Base class of runners whose programs are graded by a pool in the background.

    Args:
        strict_comparison (`bool`): Compare outputs without the tolerance of APPS.
        checker (`Callable[[Any, Any, Any], bool]` or `None`): Decides whether an answer is right; that of a program comes first.
    """

    def __init__(self, strict_comparison: bool, checker: Checker | None):
        self.strict_comparison = strict_comparison
        self.checker = checker
        self._parsed = ParsedTests()
        self._pool: Pool | None = None
        self._lock = threading.Lock()
        self._owner = os.getpid()

    @abstractmethod
    def _make_jobs(self, distinct: Sequence[tuple[int, Program, UnitTests]]) -> Sequence[Job]:
        """
        Make the jobs of a call, one per distinct program.

        Args:
            distinct (`Sequence[tuple[int, Program, UnitTests]]`): Index of each program in the call, the program, and its
                parsed tests.
        """

    @abstractmethod
    def _make_pool(self) -> Pool:
        """Make a pool, for the first call and after `close`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # When the interpreter shuts down, the workers see their pipes close and end by themselves. `contextlib` may be gone then.
        try:  # noqa: SIM105
            self.close()
        except Exception:
            pass

    def __getstate__(self) -> dict[str, Any]:
        # A copy in another process starts separate workers, as a fork does.
        return {**self.__dict__, "_parsed": None, "_pool": None, "_lock": None, "_owner": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._parsed, self._lock, self._owner = ParsedTests(), threading.Lock(), os.getpid()

    def close(self) -> None:
        """
        End all workers, and give up the programs that they grade.

        The runner can be used again: it starts new workers.
        """
        self._reset_after_fork()
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def run(self, programs: Sequence[Program], *, progress: bool = False) -> list[ExecutionReport]:
        """
        Grade programs. Equal programs of one call run once.

        Args:
            programs (`Sequence[Program]`): Programs with their tests.
            progress (`bool`, *optional*, defaults to `False`): Show a progress bar, if tqdm is installed.

        Returns:
            `list[ExecutionReport]`: One report per program, in the same order. A program whose worker died twice is
            `NOT_GRADABLE`.

        Raises:
            ValueError: If the tests of a program are malformed, its source is not a string, its checker is not a function, or one
                of its limits is out of range. The message gives the index of the program.
            TypeError: If an item is not a [`Program`].
            GradingInterrupted: On Ctrl-C. It is a `KeyboardInterrupt`, and its `reports` hold the finished reports.
            SandboxError: If no worker starts. It has `reports`, too.
        """
        jobs, batch = self._submit(programs)
        with self._cancel_on_error(jobs, batch):
            if progress:
                for job in with_progress(jobs, description="grading"):
                    batch.wait(job)
            batch.wait()
        return _reports(jobs, batch)

    def stream(self, programs: Sequence[Program]) -> Iterator[ExecutionReport]:
        """
        Grade programs and yield the reports in order, each as soon as it is ready.

        Workers continue while the caller handles a report.

        Args:
            programs (`Sequence[Program]`): Programs with their tests; as for `run`.

        Yields:
            [`ExecutionReport`]: The next report. A caller that stops early gives up the programs that are left.

        Raises:
            ValueError: As `run` does, when this is called.
            SandboxError: As `run` does.
        """
        jobs, batch = self._submit(programs)
        return self._stream(jobs, batch)

    def _stream(self, jobs: list[Job], batch: Batch) -> Iterator[ExecutionReport]:
        with self._cancel_on_error(jobs, batch):
            for job in jobs:
                batch.wait(job)
                if batch.failure:
                    break
                yield job.report or ExecutionReport(Outcome.NOT_GRADABLE)
        _reports(jobs, batch)

    def submit(self, programs: Sequence[Program]) -> Future[list[ExecutionReport]]:
        """
        Start to grade programs and return at once.

        Args:
            programs (`Sequence[Program]`): Programs with their tests; as for `run`.

        Returns:
            `concurrent.futures.Future`: Its `result()` returns the reports, or raises the errors of `run`. Its `cancel()` gives up
            the programs that are left, also while they run. `asyncio.wrap_future` makes it awaitable.

        Raises:
            ValueError: As `run` does, when this is called.
        """
        jobs, batch = self._submit(programs)
        pool = self._pool
        future = GradingFuture(lambda: pool.cancel(batch) if pool is not None else None)

        def finish() -> None:
            batch.wait()
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(_reports(jobs, batch))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=finish, name="trl-rltf batch", daemon=True).start()
        return future

    def _submit(self, programs: Sequence[Program]) -> tuple[list[Job], Batch]:
        if isinstance(programs, Program):
            raise TypeError("`programs` is a single `Program`, but must be a list of them. Put it in a list.")
        distinct: dict[tuple[str, int, float | None, int | None], tuple[int, Program, UnitTests]] = {}
        keys = []
        for index, program in enumerate(programs):
            if not isinstance(program, Program):
                raise TypeError(
                    f"program {index} is a {type(program).__name__}, but must be a `Program`. "
                    "Use `Program(source, tests)`."
                )
            try:
                tests = self._parse(program)
            except ValueError as error:
                raise ValueError(f"program {index}: {error}") from error
            keys.append((program.source, id(tests), program.timeout, program.memory_limit))
            distinct.setdefault(keys[-1], (index, program, tests))
        unique = dict(zip(distinct, self._make_jobs(list(distinct.values())), strict=True))
        jobs, batch = [unique[key] for key in keys], Batch(list(unique.values()))
        self._reset_after_fork()
        with self._lock:
            while self._pool is None or not self._pool.submit(batch):
                self._pool = self._make_pool()
        return jobs, batch

    def _parse(self, program: Program) -> UnitTests:
        if not isinstance(program.source, str):
            raise ValueError(
                f"`source` is of type {type(program.source).__name__}, but must be a string of Python code."
            )
        checker = self.checker if program.checker is None else program.checker
        if checker is not None and not callable(checker):
            raise ValueError(f"`checker` is {checker!r}, but must be a function.")
        check_program_limits(program.timeout, program.memory_limit)
        return self._parsed.parse(program.tests, self.strict_comparison, checker)

    def _reset_after_fork(self) -> None:
        """
        Drop the pool in a process that was forked from the caller.

        The fork has neither the thread of the pool nor its workers.
        """
        if os.getpid() != self._owner:
            self._owner, self._pool, self._lock = os.getpid(), None, threading.Lock()

    @contextlib.contextmanager
    def _cancel_on_error(self, jobs: list[Job], batch: Batch) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            pool = self._pool
            if pool is not None:
                pool.cancel(batch)
            if isinstance(error, KeyboardInterrupt):
                raise GradingInterrupted([job.report for job in jobs if job.report is not None]) from None
            raise


def _reports(jobs: list[Job], batch: Batch) -> list[ExecutionReport]:
    reports = [job.report or ExecutionReport(Outcome.NOT_GRADABLE) for job in jobs]
    if batch.failure:
        raise SandboxError(batch.failure, reports)
    return reports
