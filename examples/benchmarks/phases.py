"""
Measure where the time of a program goes, phase by phase, and print Markdown tables.

    HF_ALLOW_CODE_EVAL=1 python examples/bench_phases.py

One worker grades the two workloads of `bench_execution.py`. The worker runs `timed_worker.py`, in the sandbox.
"""

from __future__ import annotations

import json
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

from .timed_worker import RESULT, WARM_UP
from .workloads import assert_workload, fork_cost, scripts_of, stdin_workload


_TIMED_WORKER = Path(__file__).with_name("timed_worker.py")
_CALLER_PHASES = {"write the request": ("request", "payloads"), "compare the answers": ("receive",)}


@dataclass
class PhaseArguments:
    """Arguments of the benchmark."""

    rounds: int = field(default=5, metadata={"help": "Number of times that everything is measured, in turn."})
    num_programs: int = field(
        default=400, metadata={"help": "Programs of the assert workload; a tenth as many scripts of ten tests."}
    )
    isolation: str = field(default="auto", metadata={"help": "Isolation of the grader."})


Figures = dict[tuple[str, str], list[float]]  # per process and phase: CPU and elapsed microseconds, page faults


def measure_grader(programs: Sequence[Program], num_units: int, isolation: str) -> Figures:
    """Grade programs with a worker that measures its phases. Returns figures per unit: per program, or per test."""
    with timed_workers() as result, timed_caller() as figures:
        with LocalRunner(num_workers=1, timeout=5.0, isolation=isolation) as runner:
            grade(runner, programs[:WARM_UP])
            figures.clear()
            cpu = time.process_time()
            grade(runner, programs[WARM_UP:])
            cpu = (time.process_time() - cpu) * 1e6
        for process, phase, (cpu_ns, elapsed_ns, faults) in json.loads(result.read_bytes()):
            if phase != "idle":
                figures[process, phase] = [cpu_ns / 1e3, elapsed_ns / 1e3, faults]
    known = sum(row[0] for (process, _), row in figures.items() if process == "caller")
    figures["caller", "the rest"] = [cpu - known, float("nan"), float("nan")]
    return {key: [value / num_units for value in row] for key, row in figures.items()}


def measure_plain(programs: Sequence[Program], num_units: int, isolation: str) -> tuple[float, float]:
    """Grade programs without any clock inside. Returns elapsed microseconds, and CPU microseconds of the worker, per unit."""
    few, all_of_them = programs[: len(programs) // 4], programs
    used = []
    for sample in (few, all_of_them):  # the difference leaves out the start of the worker
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with LocalRunner(num_workers=1, timeout=5.0, isolation=isolation) as runner:
            began = time.perf_counter()
            grade(runner, sample)
            elapsed = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append((elapsed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    share = len(all_of_them) / (len(all_of_them) - len(few)) / num_units * 1e6
    return (used[1][0] - used[0][0]) * share, (used[1][1] - used[0][1]) * share
