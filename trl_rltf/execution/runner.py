"""Grade batches of programs on this machine."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Literal, Self

from .errors import GradingInterrupted, SandboxError
from .host.job import Job
from .host.pool import Batch, WorkerPool
from .host.worker_handle import WorkerHandle
from .limits import MAX_PROCESSES, MEMORY_LIMIT, OUTPUT_LIMIT, TIMEOUT, check_limits, default_num_workers
from .program import Program, check_opt_in
from .report import ExecutionReport, Outcome
from .sandbox.isolation import Isolation, choose_isolation
from .unit_tests.formats import Checker
from .unit_tests.parsed_tests import ParsedTests
from .unit_tests.unit_test import UnitTests
from .wire.messages import WorkerLimits


IsolationChoice = Literal["auto", "strict", "bubblewrap", "namespaces", "landlock", "process"]


class LocalRunner:
    """
    Grade programs on this machine, each in a separate process inside a sandbox.

    Expected outputs stay in the calling process: a program gets the inputs, and its answers are compared outside. All
    methods may be called from several threads; a forked process starts its workers again.

    Args:
        num_workers (`int`, *optional*):
            Number of programs that run at the same time. Defaults to the number of usable CPU cores, shared between the
            processes that `accelerate launch` started on this machine.
        timeout (`float`, *optional*, defaults to `4.0`):
            CPU seconds per test. A busy machine does not change the verdict.
        wall_timeout (`float`, *optional*):
            Elapsed seconds per test, for programs that sleep. Defaults to three times `timeout`.
        program_timeout (`float`, *optional*):
            CPU seconds of all tests of a program together. Defaults to `timeout` for each test and once more for the code
            before the tests, so that a program which keeps to the limit of each test is never stopped. The elapsed time of
            all tests together may be 1.5 times `program_timeout`, at least `wall_timeout`, plus two seconds per CPU second.
        memory_limit (`int`, *optional*, defaults to `2**30`):
            Bytes of address space per process of a program.
        output_limit (`int`, *optional*, defaults to `2**24`):
            Bytes that a program may print per test, and bytes per file that it writes.
        max_processes (`int`, *optional*, defaults to `64`):
            Number of processes that a program may have at a time.
        isolation (`str`, *optional*, defaults to `"auto"`):
            `"auto"` uses the strongest isolation that works (bubblewrap, namespaces with Landlock, Landlock alone, or limits
            alone) and warns if it is not complete; `"strict"` refuses to start without file-system, network and process
            isolation; `"bubblewrap"`, `"namespaces"`, `"landlock"` and `"process"` select one by name.
        strict_comparison (`bool`, *optional*, defaults to `False`):
            Compare outputs without the tolerance of APPS.
        checker (`Callable[[Any, Any, Any], bool]`, *optional*):
            Decides whether an answer is right, for problems with several right answers. It takes the input (text, or the
            list of the arguments), the answer (text, or a plain value) and the expected output. It runs in the calling
            process, in a thread. Asserts do not use it.
        stop_on_first_failure (`bool`, *optional*, defaults to `False`):
            Leave out the tests after the first that does not pass. Tests are sent in groups of growing size, so a few more may
            run; `num_run` of a report says how many ran, and the others count as not passed. Asserts that need a referee
            are one script, and all of them run.
        process_per_test (`bool`, *optional*, defaults to `False`):
            Compile a script again for each of its tests. By default, the process of each test is forked from a process that
            has compiled the script, which is faster and gives the same verdicts.
        whole_module (`bool`, *optional*, defaults to `False`):
            For assert and call-based tests: count an error in trailing code, such as an example, an assert that the model
            wrote, or a line that was cut off, as LiveCodeBench does. By default such tests run on the names that the program
            defines before the error, and the report describes the error.
        allow_code_eval (`bool`, *optional*):
            Opt in to running model-written code. Defaults to whether the environment variable `HF_ALLOW_CODE_EVAL` is
            `"1"`, as for the `code_eval` metric.

    Attributes:
        sandbox ([`Isolation`]): The isolation in force, layer by layer.

    Raises:
        ValueError: If an argument is out of range, or without an opt-in.
        SandboxError: If the requested isolation does not work on this machine, or, from `run`, if no worker starts.
    """

    def __init__(
        self,
        num_workers: int | None = None,
        timeout: float = TIMEOUT,
        *,
        wall_timeout: float | None = None,
        program_timeout: float | None = None,
        memory_limit: int = MEMORY_LIMIT,
        output_limit: int = OUTPUT_LIMIT,
        max_processes: int = MAX_PROCESSES,
        isolation: IsolationChoice = "auto",
        strict_comparison: bool = False,
        checker: Checker | None = None,
        stop_on_first_failure: bool = False,
        process_per_test: bool = False,
        whole_module: bool = False,
        allow_code_eval: bool | None = None,
    ):
        check_opt_in(allow_code_eval)
        self.num_workers = default_num_workers() if num_workers is None else num_workers
        self._limits: WorkerLimits = {
            "timeout": timeout,
            "wall_timeout": 3 * timeout if wall_timeout is None else wall_timeout,
            "program_timeout": program_timeout,
            "memory_limit": memory_limit,
            "output_limit": output_limit,
            "max_processes": max_processes,
        }
        check_limits({"num_workers": self.num_workers, **self._limits})
        self.sandbox: Isolation = choose_isolation(isolation)
        if isolation == "auto" and not self.sandbox.is_complete:
            warnings.warn(self.sandbox.warning, stacklevel=2)
        self.timeout = timeout
        self.wall_timeout: float = self._limits["wall_timeout"]
        self.strict_comparison = strict_comparison
        self.checker = checker
        self.stop_on_first_failure = stop_on_first_failure
        self.process_per_test = process_per_test
        self.whole_module = whole_module
        self._parsed = ParsedTests()
        self._pool: WorkerPool | None = None
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # When the interpreter shuts down, the workers see their pipes close and end by themselves.
        with contextlib.suppress(Exception):
            self.close()

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
            progress (`bool`, *optional*, defaults to `False`): Show a progress bar.

        Returns:
            `list[ExecutionReport]`: One report per program, in the same order. A program whose worker died twice is
            `NOT_GRADABLE`.

        Raises:
            ValueError: If the tests of a program are malformed, its source is not a string, or its checker is not a function.
                The message gives the index of the program.
            TypeError: If an item is not a [`Program`].
            GradingInterrupted: On Ctrl-C. It is a `KeyboardInterrupt`, and its `reports` hold the finished reports.
            SandboxError: If no worker starts. It has `reports`, too.
        """
        jobs, batch = self._submit(programs)
        with self._cancel_on_error(jobs, batch):
            if progress:
                from tqdm import tqdm

                for job in tqdm(jobs, desc="grading", unit="program"):
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
            `concurrent.futures.Future`: Its `result()` returns the reports, or raises the errors of `run`.

        Raises:
            ValueError: As `run` does, when this is called.
        """
        jobs, batch = self._submit(programs)
        future: Future[list[ExecutionReport]] = Future()
        future.set_running_or_notify_cancel()

        def finish() -> None:
            batch.wait()
            try:
                future.set_result(_reports(jobs, batch))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=finish, name="trl-rltf batch", daemon=True).start()
        return future

    def _submit(self, programs: Sequence[Program]) -> tuple[list[Job], Batch]:
        if isinstance(programs, Program):
            raise TypeError("`programs` is a single `Program`, but must be a list of them. Put it in a list.")
        unique: dict[tuple[str, int], Job] = {}
        jobs = []
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
            job = unique.get((program.source, id(tests)))
            if job is None:
                job = Job(
                    program.source,
                    tests,
                    stop_on_first_failure=self.stop_on_first_failure,
                    process_per_test=self.process_per_test,
                    whole_module=self.whole_module,
                )
                unique[program.source, id(tests)] = job
            jobs.append(job)
        batch = Batch(list(unique.values()))
        self._reset_after_fork()
        with self._lock:
            while self._pool is None or not self._pool.submit(batch):
                self._pool = WorkerPool(self.num_workers, self._start_worker, self.wall_timeout)
        return jobs, batch

    def _parse(self, program: Program) -> UnitTests:
        if not isinstance(program.source, str):
            raise ValueError(
                f"`source` is of type {type(program.source).__name__}, but must be a string of Python code."
            )
        checker = self.checker if program.checker is None else program.checker
        if checker is not None and not callable(checker):
            raise ValueError(f"`checker` is {checker!r}, but must be a function.")
        return self._parsed.parse(program.tests, self.strict_comparison, checker)

    def _start_worker(self) -> WorkerHandle:
        return WorkerHandle(self.sandbox, self._limits)

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
