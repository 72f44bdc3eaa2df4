"""
Measure the CPU time of the calling process per program, without that of the workers.

    HF_ALLOW_CODE_EVAL=1 python examples/bench_scaling.py

One thread of the calling process sends all programs to the workers and compares all answers. Its CPU time per program bounds the
programs per second, on any number of cores. More workers than cores show this bound on a small machine. A second table divides
the time by step.
"""

from __future__ import annotations

import contextlib
import selectors
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from transformers import HfArgumentParser

from trl_rltf.execution import LocalRunner, Outcome, Program
from trl_rltf.execution.host.job import Job
from trl_rltf.execution.host.worker_handle import WorkerHandle
from trl_rltf.execution.unit_tests.parsed_tests import ParsedTests

from .workloads import assert_workload, stdin_workload


_LARGE = 20_000  # integers in a large answer
# The methods that take the time of each step. The rest of the time is that of the pool.
_STEPS: dict[str, list[tuple[type, str]]] = {
    "read the tests": [(ParsedTests, "parse")],
    "write the request": [(Job, "request"), (Job, "payloads"), (WorkerHandle, "queue")],
    "send the request": [(WorkerHandle, "send")],
    "wait for a reply": [(selectors.DefaultSelector, "select")],
    "read the reply": [(WorkerHandle, "receive")],
    "compare the answers, write the report": [(Job, "receive")],
}


@dataclass
class BenchArguments:
    """Arguments of the benchmark."""

    num_workers: list[int] = field(default_factory=lambda: [1, 2, 4, 8, 16], metadata={"help": "Numbers of workers."})
    rounds: int = field(default=5, metadata={"help": "Number of times that each workload is measured."})
    num_programs: int = field(
        default=400, metadata={"help": "Programs per round; a quarter as many scripts, a tenth with large answers."}
    )
    isolation: str = field(default="auto", metadata={"help": "Isolation of the grader."})


class Measurement(NamedTuple):
    """CPU seconds of the calling process per program, and programs per second, of one round."""

    cpu: float
    rate: float


def main(args: BenchArguments, console: Console) -> None:
    """Print the tables."""
    torch.ones(1)  # the calling process is that of a trainer
    num_programs = args.num_programs
    workloads = {
        "functions, 3 asserts": (assert_workload, num_programs),
        "scripts, 10 tests": (stdin_workload, num_programs // 4),
        "functions, 3 asserts with a referee": (referee_workload, num_programs),
        f"functions that return {_LARGE:,} integers": (large_workload, num_programs // 10),
    }
    table = Table(
        *("workload", "workers", "programs/s", "CPU ms per program", "with new tests", "ceiling, programs/s"),
        box=box.MARKDOWN,
    )
    for name, (make, count) in workloads.items():
        batches = make_batches(make, count, args.rounds + 1)
        for num_workers in args.num_workers:
            with LocalRunner(num_workers, isolation=args.isolation) as runner:
                new, known = measure(runner, batches)
            cpu = [1000 * round_.cpu for round_ in known]
            table.add_row(
                *(name, str(num_workers), f"{statistics.median(round_.rate for round_ in known):,.0f}"),
                f"{statistics.median(cpu):.3f} [{min(cpu):.3f}, {max(cpu):.3f}]",
                f"{1000 * statistics.median(round_.cpu for round_ in new):.3f}",
                f"{1000 / statistics.median(cpu):,.0f}",
            )
    console.print(table)
    console.print(profile(args))


def make_batches(make: Callable[[int], list[Program]], count: int, num_batches: int) -> list[list[Program]]:
    """Make batches of different programs."""
    programs = make(count * num_batches)
    return [programs[start : start + count] for start in range(0, len(programs), count)]


def measure(runner: LocalRunner, batches: Sequence[Sequence[Program]]) -> tuple[list[Measurement], list[Measurement]]:
    """
    Grade each batch twice.

    The tests are new at the first time, and are known at the second time, like those of the other completions of a prompt. The
    first batch starts the workers and is not counted.
    """
    rounds = [[grade(runner, batch) for _ in ("new", "known")] for batch in batches]
    new, known = zip(*rounds[1:], strict=True)
    return list(new), list(known)


def grade(runner: LocalRunner, programs: Sequence[Program]) -> Measurement:
    """Grade programs, all of which are right."""
    cpu, began = time.process_time(), time.perf_counter()
    reports = runner.run(programs)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    num_passed = sum(report.outcome is Outcome.PASS for report in reports)
    if num_passed != len(programs):
        raise SystemExit(f"{num_passed} of {len(programs)} right programs pass.")
    return Measurement(cpu / len(programs), len(programs) / seconds)


def profile(args: BenchArguments) -> Table:
    """Divide the CPU time of a program with three asserts by step."""
    num_workers = max(args.num_workers)
    batches = make_batches(assert_workload, args.num_programs, args.rounds + 1)
    rounds: list[dict[str, float]] = []
    with LocalRunner(num_workers, isolation=args.isolation) as runner:
        grade(runner, batches[0])
        for batch in batches[1:]:
            with step_times() as seconds:
                total = grade(runner, batch).cpu
            shares = {step: 1e6 * seconds[step] / len(batch) for step in _STEPS}
            rounds.append({**shares, "the rest: submit, assign, wake the caller": 1e6 * total - sum(shares.values())})
    table = Table(f"step, {num_workers} workers", "CPU µs per program", box=box.MARKDOWN)
    for step in rounds[0]:
        seen = [times[step] for times in rounds]
        table.add_row(step, f"{statistics.median(seen):.0f} [{min(seen):.0f}, {max(seen):.0f}]")
    return table


@contextlib.contextmanager
def step_times() -> Iterator[dict[str, float]]:
    """Count the CPU seconds of each step. The clock itself adds about a microsecond per call."""
    seconds: dict[str, float] = defaultdict(float)
    originals = [(owner, name, getattr(owner, name)) for methods in _STEPS.values() for owner, name in methods]
    for step, methods in _STEPS.items():
        for owner, name in methods:
            setattr(owner, name, _timed(getattr(owner, name), step, seconds))
    try:
        yield seconds
    finally:
        for owner, name, method in originals:
            setattr(owner, name, method)


def _timed(method: Callable[..., Any], step: str, seconds: dict[str, float]) -> Callable[..., Any]:
    def timed(*args: Any, **options: Any) -> Any:
        began = time.thread_time()
        try:
            return method(*args, **options)
        finally:
            seconds[step] += time.thread_time() - began

    return timed


def referee_workload(num_programs: int) -> list[Program]:
    """The functions of the assert workload; a loop holds the three cases, so that a referee runs them."""
    programs = []
    for i, program in enumerate(assert_workload(num_programs)):
        cases = [([1, 2, 3, 4], i + 6), ([], i), ([10, 11], i + 10)]
        loop = f"for numbers, expected in {cases}:\n    assert solve_{i}(numbers) == expected"
        programs.append(Program(program.source, {"asserts": [loop]}))
    return programs


def large_workload(num_programs: int) -> list[Program]:
    """Functions whose answer is a long list, with one call-based test each."""
    return [
        Program(
            f"def numbers_from(start):\n    return list(range(start, start + {_LARGE}))",
            {"fn_name": "numbers_from", "inputs": [[i]], "outputs": [list(range(i, i + _LARGE))]},
        )
        for i in range(num_programs)
    ]


def run_command() -> None:
    """Run the benchmark with the arguments of the command line."""
    main(HfArgumentParser(BenchArguments).parse_args_into_dataclasses()[0], Console(width=160))
