"""Grade batches of programs on this machine."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

from .batch_runner import BatchRunner
from .host.job import Job
from .host.pool import WorkerPool
from .host.worker_handle import WorkerHandle
from .limits import (
    MAX_PROCESSES,
    MEMORY_LIMIT,
    OUTPUT_LIMIT,
    TIMEOUT,
    check_limits,
    default_num_workers,
    program_limits,
    worker_limits,
)
from .program import Program, check_opt_in
from .sandbox.isolation import Isolation, choose_isolation
from .unit_tests.formats import Checker
from .unit_tests.unit_test import UnitTests


IsolationChoice = Literal["auto", "strict", "bubblewrap", "namespaces", "landlock", "process"]


class LocalRunner(BatchRunner):
    """
    Grade programs on this machine, each in a separate process inside a sandbox.

    Expected outputs stay in the calling process: a program gets the inputs, and its answers are compared outside. All
    methods may be called from several threads; a forked process starts its workers again.

    Args:
        num_workers (`int`, *optional*):
            Number of programs that run at the same time. Defaults to the number of usable CPU cores, shared between the
            processes that `accelerate launch` started on this machine.
        timeout (`float`, *optional*, defaults to `4.0`):
            CPU seconds per test. A busy machine does not change the verdict. A [`Program`] may have another `timeout` and another
            `memory_limit`.
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
        super().__init__(strict_comparison, checker)
        self.num_workers = default_num_workers() if num_workers is None else num_workers
        check_limits({"num_workers": self.num_workers})
        self._limits = worker_limits(
            timeout=timeout,
            wall_timeout=wall_timeout,
            program_timeout=program_timeout,
            memory_limit=memory_limit,
            output_limit=output_limit,
            max_processes=max_processes,
        )
        self.sandbox: Isolation = choose_isolation(isolation)
        if isolation == "auto" and not self.sandbox.is_complete:
            warnings.warn(self.sandbox.warning, stacklevel=2)
        self.timeout = timeout
        self.wall_timeout: float = self._limits["wall_timeout"]
        self._given_wall_timeout = wall_timeout
        self.stop_on_first_failure = stop_on_first_failure
        self.process_per_test = process_per_test
        self.whole_module = whole_module

    def _make_jobs(self, distinct: Sequence[tuple[int, Program, UnitTests]]) -> list[Job]:
        return [
            Job(
                program.source,
                tests,
                stop_on_first_failure=self.stop_on_first_failure,
                process_per_test=self.process_per_test,
                whole_module=self.whole_module,
                limits=program_limits(program.timeout, program.memory_limit, self._given_wall_timeout),
            )
            for _, program, tests in distinct
        ]

    def _make_pool(self) -> WorkerPool:
        return WorkerPool(self.num_workers, self._start_worker, self.wall_timeout)

    def _start_worker(self) -> WorkerHandle:
        return WorkerHandle(self.sandbox, self._limits)
