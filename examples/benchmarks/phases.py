"""
Measure where the time of a program goes, phase by phase, and print Markdown tables.

    HF_ALLOW_CODE_EVAL=1 python examples/bench_phases.py

One worker grades the two workloads of `bench_execution.py`, in the sandbox. It runs `timed_worker.py`, whose clocks take time, too: the
last rows show the grader without them, and forks without a sandbox.
"""

from __future__ import annotations

import json
import math
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import HfArgumentParser

from trl_rltf.execution import LocalRunner, Outcome, Program
from trl_rltf.execution.host import worker_handle
from trl_rltf.execution.host.job import Job

from .workloads import as_one_script, assert_workload, fork_cost, one_script_per_test, stdin_workload


_WARM_UP = 8  # programs that do not count
_RESULT = 9  # descriptor of the file in which a worker leaves its figures
_TIMED_WORKER = Path(__file__).with_name("timed_worker.py")
_CALLER_PHASES = {"write the request": ("request", "payloads"), "compare the answers": ("receive",)}
_NONE = math.nan

Figures = dict[tuple[str, str], Sequence[float]]  # per process and phase: CPU and elapsed microseconds, page faults


@dataclass
class PhaseArguments:
    """Arguments of the benchmark."""

    rounds: int = field(default=5, metadata={"help": "Number of times that everything is measured, in turn."})
    num_programs: int = field(
        default=400, metadata={"help": "Programs of the assert workload; a tenth as many scripts of ten tests."}
    )
    num_forks: int = field(default=1000, metadata={"help": "Number of forks without a sandbox, for comparison."})
    isolation: str = field(default="auto", metadata={"help": "Isolation of the grader."})


def main(args: PhaseArguments) -> None:
    """Print one table per workload."""
    functions = assert_workload(_WARM_UP + args.num_programs)
    scripts = stdin_workload(_WARM_UP + args.num_programs // 10)
    print_table(
        "Microseconds per program, functions with three asserts each",
        measure(functions, 1, args, {"one process per program": [as_one_script(functions[0])]}),
    )
    print_table(
        "Microseconds per test, scripts with ten tests each",
        measure(
            scripts,
            10,
            args,
            {
                "one process per test": one_script_per_test(scripts[0]),
                "one process for ten tests, with an import": [as_one_script(scripts[0])],
            },
        ),
    )


def measure(
    programs: Sequence[Program], num_tests: int, args: PhaseArguments, references: dict[str, list[str]]
) -> Figures:
    """
    Measure phases, the grader as a whole, and forks without a sandbox.

    Args:
        programs (`Sequence[Program]`): The workload.
        num_tests (`int`): The figures are divided by this number.
        args ([`PhaseArguments`]): Rounds and isolation.
        references (`dict[str, list[str]]`): By name, the texts of which each fork runs one, for all `num_tests` tests or for one.

    Returns:
        `dict`: By process and phase, the medians of CPU and elapsed microseconds and of page faults.
    """
    rounds: dict[tuple[str, str], list[Sequence[float]]] = defaultdict(list)
    num_units = (len(programs) - _WARM_UP) * num_tests
    for _ in range(args.rounds):
        measured = {**phases(programs, num_units, args.isolation), **whole(programs, num_units, args.isolation)}
        for name, sources in references.items():
            elapsed, cpu, faults = fork_cost(sources, count=args.num_forks)
            tests = num_tests // len(sources)
            measured["no sandbox", name] = cpu / tests, elapsed / tests, faults / tests
        for key, row in measured.items():
            rounds[key].append(row)
    return {key: [statistics.median(column) for column in zip(*rows, strict=True)] for key, rows in rounds.items()}


def phases(programs: Sequence[Program], num_units: int, isolation: str) -> Figures:
    """Grade programs with a worker and a caller that measure their phases."""
    with tempfile.NamedTemporaryFile() as result, timed_worker(result.name), timed_caller() as seconds:
        with LocalRunner(num_workers=1, timeout=5.0, isolation=isolation) as runner:
            grade(runner, programs[:_WARM_UP])
            seconds.clear()
            cpu = time.process_time()
            grade(runner, programs[_WARM_UP:])
            seconds["the rest: read tests, dispatch"] = time.process_time() - cpu - sum(seconds.values())
        rows = json.loads(Path(result.name).read_bytes())
    figures: Figures = {("caller", phase): (1e6 * used / num_units, _NONE, _NONE) for phase, used in seconds.items()}
    for process, phase, (cpu_ns, elapsed_ns, faults) in rows:
        if phase != "idle":
            figures[process, phase] = (cpu_ns / 1e3 / num_units, elapsed_ns / 1e3 / num_units, faults / num_units)
    figures["sum", "with clocks"] = sum(row[0] for row in figures.values()), _NONE, _NONE
    return figures


def whole(programs: Sequence[Program], num_units: int, isolation: str) -> Figures:
    """Grade programs without clocks in the worker, with one worker."""
    used = []
    for sample in (programs[:_WARM_UP], programs):  # the difference leaves out the start of the worker
        before, caller = resource.getrusage(resource.RUSAGE_CHILDREN), time.process_time()
        with LocalRunner(num_workers=1, timeout=5.0, isolation=isolation) as runner:
            began = time.perf_counter()
            grade(runner, sample)
            elapsed = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        used.append(
            (1e6 * cpu, 1e6 * elapsed, after.ru_minflt - before.ru_minflt, 1e6 * (time.process_time() - caller))
        )
    cpu, elapsed, faults, caller = ((end - start) / num_units for start, end in zip(*used, strict=True))
    return {
        ("without clocks", "caller"): (caller, _NONE, _NONE),
        ("without clocks", "worker and all that it forks"): (cpu, elapsed, faults),
    }


def grade(runner: LocalRunner, programs: Sequence[Program]) -> None:
    """Grade programs that are known to pass."""
    if any(report.outcome is not Outcome.PASS for report in runner.run(programs)):
        raise SystemExit("A right program of the workload has not passed.")


@contextmanager
def timed_worker(result: str) -> Iterator[None]:
    """Let workers run `timed_worker.py`, which writes its figures to a file at the end."""
    start = worker_handle.worker_command

    def command(*arguments: Any) -> list[str]:
        *options, flag, module = start(*arguments)
        assert (flag, module) == ("-m", "trl_rltf.execution.worker")
        opened = ["bash", "-c", f'exec "$@" {_RESULT}> {result}', "bash"]
        return [*opened, *options, "-c", _TIMED_WORKER.read_text(), str(_RESULT), str(_WARM_UP)]

    worker_handle.worker_command = command
    try:
        yield
    finally:
        worker_handle.worker_command = start


@contextmanager
def timed_caller() -> Iterator[dict[str, float]]:
    """Measure the CPU seconds of the phases of the caller."""
    seconds: dict[str, float] = defaultdict(float)
    methods = {name: getattr(Job, name) for names in _CALLER_PHASES.values() for name in names}

    def timed(phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            began = time.thread_time()
            try:
                return function(*arguments)
            finally:
                seconds[phase] += time.thread_time() - began

        return run

    for phase, names in _CALLER_PHASES.items():
        for name in names:
            setattr(Job, name, timed(phase, methods[name]))
    try:
        yield seconds
    finally:
        for name, method in methods.items():
            setattr(Job, name, method)


def print_table(title: str, figures: Figures) -> None:
    """Print figures as a Markdown table."""
    print(f"{title}\n\n| process | phase | CPU | elapsed | page faults |\n| --- | --- | --- | --- | --- |")
    for (process, phase), row in figures.items():
        cells = ("" if math.isnan(figure) else f"{figure:,.0f}" for figure in row)
        print(f"| {process} | {phase} | {' | '.join(cells)} |")
    print()


def run_command() -> None:
    """Run the benchmark with the arguments of the command line."""
    main(HfArgumentParser(PhaseArguments).parse_args_into_dataclasses()[0])
