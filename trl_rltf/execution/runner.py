"""Grade batches of programs on a pool of sandboxed worker processes."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import threading
import time
import warnings
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

from .report import ExecutionReport, Outcome, Span, Verdict
from .sandbox import Isolation, choose_isolation
from .tests import UnitTests, parse_tests
from .worker_process import WorkerProcess


_STDOUT_SAMPLE = 2000


@dataclass(frozen=True, slots=True)
class Program:
    """
    A program and the tests to run it on.

    Args:
        source (`str`): Python source. Any text is graded.
        tests (`Mapping` or `str`): Unit tests in one of the three formats, see [`parse_tests`].
    """

    source: str
    tests: Mapping[str, Any] | str


@runtime_checkable
class Runner(Protocol):
    """What grades programs. Implement it to grade on other machines."""

    def run(self, programs: Sequence[Program]) -> list[ExecutionReport]:
        """Grade programs: one report a program, in the same order, whatever the programs do."""
        ...


class LocalRunner:
    """
    Grade programs on this machine, each in a process of its own inside a sandbox.

    Expected outputs stay in the calling process: a program is given inputs, and what comes out is compared outside.

    Args:
        num_workers (`int`, *optional*):
            Number of programs that run at the same time. Defaults to the number of usable CPU cores, shared between the
            processes that `accelerate launch` started on this machine.
        timeout (`float`, *optional*, defaults to `4.0`):
            CPU seconds that each test may use. A busy machine does not change the verdict.
        wall_timeout (`float`, *optional*):
            Elapsed seconds that each test may take, for programs that sleep. Defaults to three times `timeout`.
        memory_limit (`int`, *optional*, defaults to `2**30`):
            Bytes of address space of each process of a program.
        output_limit (`int`, *optional*, defaults to `2**24`):
            Bytes that a program may print in a test, and bytes that a file of it may have.
        max_processes (`int`, *optional*, defaults to `64`):
            Processes that a program may have at a time.
        isolation (`str`, *optional*, defaults to `"auto"`):
            `"auto"` uses bubblewrap where it works and warns where it does not; `"strict"` refuses to start without
            file-system, network and process isolation; `"bubblewrap"` is the same by name; `"process"` asks for resource
            limits alone.
        strict_comparison (`bool`, *optional*, defaults to `False`):
            Compare outputs without the tolerance of APPS.
        allow_code_eval (`bool`, *optional*):
            Opt in to running model-written code. Defaults to whether the environment variable `HF_ALLOW_CODE_EVAL` is
            `"1"`, as for the `code_eval` metric.

    Raises:
        ValueError: If an argument is out of range, or nobody opted in.
        RuntimeError: If the isolation that was asked for does not work on this machine, or, from `run`, if a worker does not
            start.
    """

    def __init__(
        self,
        num_workers: int | None = None,
        timeout: float = 4.0,
        wall_timeout: float | None = None,
        memory_limit: int = 2**30,
        output_limit: int = 2**24,
        max_processes: int = 64,
        isolation: str = "auto",
        strict_comparison: bool = False,
        allow_code_eval: bool | None = None,
    ):
        check_opt_in(allow_code_eval)
        num_workers = _default_num_workers() if num_workers is None else num_workers
        wall_timeout = 3 * timeout if wall_timeout is None else wall_timeout
        limits = {
            "num_workers": num_workers,
            "timeout": timeout,
            "wall_timeout": wall_timeout,
            "memory_limit": memory_limit,
            "output_limit": output_limit,
            "max_processes": max_processes,
        }
        for name, value in limits.items():
            kinds = (int, float) if name in ("timeout", "wall_timeout") else (int,)
            if isinstance(value, bool) or not isinstance(value, kinds) or not value > 0:
                wanted = "a number of seconds" if float in kinds else "a whole number"
                raise ValueError(f"`{name}` is {value!r}, but must be {wanted} above 0.")
        if memory_limit < 2**26:
            raise ValueError(
                f"`memory_limit` is {memory_limit} bytes, but Python itself needs at least 2**26 (64 MiB)."
            )
        self.isolation: Isolation = choose_isolation(isolation)
        if isolation == "auto" and self.isolation.missing:
            warnings.warn(
                f"Programs run with resource limits only, because {self.isolation.missing}: they can read files and use the "
                'network. Install bubblewrap, or pass `isolation="process"` to accept it.',
                stacklevel=2,
            )
        self.num_workers = num_workers
        self.timeout = timeout
        self.wall_timeout = wall_timeout
        self.strict_comparison = strict_comparison
        self._limits = {key: value for key, value in limits.items() if key != "num_workers"}
        self._workers: list[WorkerProcess] = []
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # At interpreter shutdown the workers see their line close and end by themselves.
        with contextlib.suppress(Exception):
            self.close()

    def close(self) -> None:
        """End all workers. The runner can be used again: it starts new ones."""
        if os.getpid() != self._owner:  # a fork of the caller does not own the workers
            return
        for worker in self._workers:
            worker.close()
        self._workers.clear()

    def run(self, programs: Sequence[Program]) -> list[ExecutionReport]:
        """
        Grade programs. Equal programs of one call run once.

        Args:
            programs (`Sequence[Program]`): Programs with their tests.

        Returns:
            `list[ExecutionReport]`: One report a program, in the same order. A program whose worker died twice is
            `NOT_GRADABLE`.

        Raises:
            ValueError: If the tests of a program are malformed. The message names the program's index.
        """
        if isinstance(programs, Program):
            raise TypeError("`run` takes a list of programs; put this one in a list.")
        parsed: dict[str, UnitTests] = {}
        unique: dict[tuple[str, str], _Job] = {}
        jobs = []
        for index, program in enumerate(programs):
            try:
                key = program.tests if isinstance(program.tests, str) else json.dumps(program.tests)
            except (TypeError, ValueError) as error:
                raise ValueError(f"program {index}: the tests hold what JSON cannot write ({error}).") from error
            if key not in parsed:
                try:
                    parsed[key] = parse_tests(program.tests, self.strict_comparison)
                except ValueError as error:
                    raise ValueError(f"program {index}: {error}") from error
            job = unique.get((program.source, key))
            if job is None:
                job = unique[program.source, key] = _Job(program.source, parsed[key])
            jobs.append(job)
        with self._lock:
            self._grade(list(unique.values()))
        reports = {id(job): _report(job) for job in unique.values()}
        return [reports[id(job)] for job in jobs]

    def _grade(self, jobs: list[_Job]) -> None:
        waiting = deque(jobs)
        busy: dict[WorkerProcess, _Job] = {}
        self._workers = [worker for worker in self._workers if worker.is_alive()]
        with selectors.DefaultSelector() as selector:
            try:
                while waiting or busy:
                    self._assign(waiting, busy, selector)
                    for key, events in selector.select(timeout=1.0):
                        worker: WorkerProcess = key.data
                        if worker in busy:
                            self._advance(worker, events, waiting, busy, selector)
                    for worker, job in list(busy.items()):
                        if time.monotonic() > worker.deadline:
                            self._drop(worker, job, waiting, busy, selector)
            finally:
                # Left early (Ctrl-C): a worker in the middle of a program is of no use to the next call.
                for worker in busy:
                    worker.kill()
                    self._workers.remove(worker)

    def _assign(self, waiting: deque[_Job], busy: dict[WorkerProcess, _Job], selector: selectors.BaseSelector) -> None:
        idle = [worker for worker in self._workers if worker not in busy]
        while waiting and (idle or len(self._workers) < self.num_workers):
            if idle:
                worker = idle.pop()
            else:
                worker = WorkerProcess(self.isolation, self._limits)
                self._workers.append(worker)
            job = waiting.popleft()
            worker.give(job.request(), self.wall_timeout * (job.num_tests + 1))
            busy[worker] = job
            selector.register(worker.reply, selectors.EVENT_READ, worker)
            selector.register(worker.request, selectors.EVENT_WRITE, worker)

    def _advance(
        self,
        worker: WorkerProcess,
        events: int,
        waiting: deque[_Job],
        busy: dict[WorkerProcess, _Job],
        selector: selectors.BaseSelector,
    ) -> None:
        job = busy[worker]
        try:
            if events & selectors.EVENT_WRITE and worker.send():
                selector.unregister(worker.request)
            if events & selectors.EVENT_READ:
                reply = worker.receive()
                if reply is not None:
                    job.reply = reply
                    selector.unregister(worker.reply)
                    del busy[worker]
                    if reply.get("retire"):
                        worker.kill()
                        self._workers.remove(worker)
        except (OSError, EOFError, ValueError, RecursionError):
            self._drop(worker, job, waiting, busy, selector)

    def _drop(
        self,
        worker: WorkerProcess,
        job: _Job,
        waiting: deque[_Job],
        busy: dict[WorkerProcess, _Job],
        selector: selectors.BaseSelector,
    ) -> None:
        """Replace a worker that died or hangs; its program gets one more chance."""
        for pipe in (worker.request, worker.reply):
            with contextlib.suppress(KeyError, ValueError):
                selector.unregister(pipe)
        job.last_words = worker.last_words()
        worker.kill()
        self._workers.remove(worker)
        del busy[worker]
        if not worker.is_ready:
            # No program has run in it: this is a fault of the sandbox, which no reward may hide.
            raise RuntimeError(f"A worker of the sandbox did not start: {job.last_words or 'it said nothing'}")
        job.num_deaths += 1
        if job.num_deaths < 2:
            waiting.appendleft(job)


def check_opt_in(allow_code_eval: bool | None = None) -> None:
    """
    Refuse to run model-written code unless somebody said that they want it.

    Args:
        allow_code_eval (`bool`, *optional*): The caller's word. `None` looks at `HF_ALLOW_CODE_EVAL`.

    Raises:
        ValueError: If nobody opted in.
    """
    if allow_code_eval is None:
        allow_code_eval = os.environ.get("HF_ALLOW_CODE_EVAL", "0") == "1"
    if not allow_code_eval:
        raise ValueError(
            "This runs code that a model wrote, which may be harmful. Once you have read what the sandbox promises "
            "(docs/execution.md), opt in with the environment variable `HF_ALLOW_CODE_EVAL=1` or with "
            "`allow_code_eval=True`."
        )


def _default_num_workers() -> int:
    cores = len(os.sched_getaffinity(0))
    return max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


class _Job:
    """One distinct program of a batch."""

    def __init__(self, source: str, tests: UnitTests):
        self.source = source
        self.tests = tests
        self.num_tests = len(tests.cases)
        self.num_deaths = 0
        self.last_words = ""
        self.reply: dict[str, Any] | None = None

    def request(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "mode": self.tests.mode,
            "setup": self.tests.setup,
            "probes": [case.probe for case in self.tests.cases],
        }


def _report(job: _Job) -> ExecutionReport:
    """Compare what came out of the sandbox with what was expected; this is the only place where the two meet."""
    guarded = tuple(index for index, case in enumerate(job.tests.cases) if case.guarded)
    reply = job.reply
    if reply is None:
        return ExecutionReport(
            Outcome.NOT_GRADABLE,
            verdicts=(Verdict.NOT_RUN,) * job.num_tests,
            error_message=f"The worker process died twice while it graded this program. {job.last_words}"[:500],
            guarded_tests=guarded,
        )
    verdicts = tuple(
        _verdict(job.tests.mode, case.check, observation)
        for case, observation in zip(job.tests.cases, reply["observations"], strict=True)
    )
    error = reply["error"] or {}
    if not reply["compiled"]:
        outcome = Outcome.SYNTAX_ERROR
    elif error or not {*verdicts} <= {Verdict.PASSED, Verdict.FAILED}:
        outcome = Outcome.RUNTIME_ERROR
    else:
        outcome = Outcome.FAILURE if Verdict.FAILED in verdicts else Outcome.PASS
    shown = next((i for i, verdict in enumerate(verdicts) if verdict is not Verdict.PASSED), 0)
    return ExecutionReport(
        outcome,
        verdicts,
        error_type=str(error["type"])[:200] if error else None,
        error_message=str(error.get("message", ""))[:500],
        error_detail=str(error.get("detail", "")),
        span=_span(error.get("span")),
        expression_span=_span(error.get("expression_span")),
        stdout=str(reply["observations"][shown].get("stdout", ""))[:_STDOUT_SAMPLE],
        guarded_tests=guarded,
        cpu_seconds=float(reply["cpu"]),
        wall_seconds=float(reply["wall"]),
    )


def _verdict(mode: str, check: Any, observation: dict[str, Any]) -> Verdict:
    kind = observation["kind"]
    if kind != "done":
        return {"timeout": Verdict.TIMEOUT, "not_run": Verdict.NOT_RUN}.get(kind, Verdict.ERROR)
    seen = observation["stdout"] if mode == "stdin" else observation["values"]
    if mode == "function" and not (isinstance(seen, list) and seen):
        return Verdict.FAILED  # a record that the program forged
    try:
        return Verdict.PASSED if check(seen) else Verdict.FAILED
    except Exception:
        # Comparing what a hostile process sent may raise anything, and must not end the caller: it is a wrong answer.
        return Verdict.FAILED


def _span(numbers: Any) -> Span | None:
    return None if numbers is None else Span(*map(int, numbers))
