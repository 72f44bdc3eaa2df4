"""
Measure grading on a Ray cluster, compared with a `LocalRunner`: CPU time, latency, and recovery from losses.

    HF_ALLOW_CODE_EVAL=1 python examples/bench_ray.py

The nodes of the cluster are processes of this machine, so that elapsed times say nothing about a real cluster. CPU seconds are
those of all processes: this one, Ray, the graders and the programs.
"""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table
from transformers import HfArgumentParser

from trl_rltf.execution import ExecutionReport, LocalRunner, Outcome, Program
from trl_rltf.execution.batch_runner import BatchRunner
from trl_rltf.execution.ray import RayRunner

from .workloads import assert_workload, stdin_workload


_TICKS = os.sysconf("SC_CLK_TCK")
_MEMORY = {"object_store_memory": 10**8}


@dataclass
class BenchArguments:
    """Arguments of the benchmark."""

    num_nodes: int = field(default=3, metadata={"help": "Nodes of the cluster, of one worker each."})
    num_programs: int = field(
        default=2000, metadata={"help": "Programs of the assert workload; a tenth as many scripts."}
    )
    rounds: int = field(default=3, metadata={"help": "Number of times that each runner is measured, in turn."})
    num_calls: int = field(default=20, metadata={"help": "Calls of eight programs."})
    num_losses: int = field(default=3, metadata={"help": "Number of graders, and of nodes, that are killed."})


def main(args: BenchArguments, console: Console) -> None:
    """Print the tables."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **_MEMORY})
    for _ in range(args.num_nodes - 1):
        cluster.add_node(num_cpus=1, **_MEMORY)
    cluster.wait_for_nodes()
    with RayRunner(cluster.address, timeout=1.0) as on_ray, LocalRunner(args.num_nodes, timeout=1.0) as local:
        runners = {"LocalRunner": local, "RayRunner": on_ray}
        console.print(f"Ray {ray.__version__}, {args.num_nodes} nodes, isolation {local.sandbox.name}")
        for name, programs in (
            ("functions, 3 asserts each", assert_workload(args.num_programs)),
            ("scripts, 10 tests each", stdin_workload(args.num_programs // 10)),
        ):
            console.print(compare(name, programs, runners, args.rounds))
        console.print(f"The idle cluster uses {idle_cpu():.2f} CPU seconds per second.")
        console.print(latency(runners, args.num_calls))
    console.print(recovery(cluster, args))
    ray.shutdown()
    cluster.shutdown()


def compare(name: str, programs: Sequence[Program], runners: dict[str, BatchRunner], rounds: int) -> Table:
    """Measure CPU milliseconds per program, and programs per second."""
    cpu: dict[str, list[float]] = {label: [] for label in runners}
    rate: dict[str, list[float]] = {label: [] for label in runners}
    for runner in runners.values():
        check(runner.run(programs[:100]))
    for _ in range(rounds):
        for label, runner in runners.items():
            cpu_before, began = cpu_of_all_processes(), time.perf_counter()
            check(runner.run(programs))
            rate[label].append(len(programs) / (time.perf_counter() - began))
            cpu[label].append(1e3 * (cpu_of_all_processes() - cpu_before) / len(programs))
    table = Table("runner", "CPU ms per program", "programs/s", "CPU / LocalRunner", title=f"{len(programs)} {name}")
    for label in runners:
        ratios = [mine / other for mine, other in zip(cpu[label], cpu["LocalRunner"], strict=True)]
        table.add_row(label, spread(cpu[label]), spread(rate[label]), spread(ratios))
    return table


def latency(runners: dict[str, BatchRunner], num_calls: int) -> Table:
    """Measure the time of a call with eight programs."""
    table = Table("runner", "milliseconds", title="A call with 8 programs")
    for label, runner in runners.items():
        seen = []
        for _ in range(num_calls):
            began = time.perf_counter()
            check(runner.run(assert_workload(8)))
            seen.append(1e3 * (time.perf_counter() - began))
        table.add_row(label, spread(seen))
    return table


def recovery(cluster: Any, args: BenchArguments) -> Table:
    """Kill a grader, or a node, while programs run, and measure the longest wait for a report."""
    table = Table("killed", "longest wait for a report, seconds", "without a loss", title="Recovery")
    programs = assert_workload(args.num_programs // 4)
    for kind in ("a grader", "a node"):
        waits, undisturbed = [], []
        for _ in range(args.num_losses):
            node = cluster.add_node(num_cpus=1, **_MEMORY)
            cluster.wait_for_nodes()
            with TemporaryDirectory() as folder, RayRunner(cluster.address, timeout=1.0) as runner:
                check(runner.run([noting_its_grader(program, folder) for program in stdin_workload(100, num_tests=1)]))
                undisturbed.append(max(gaps(runner.stream(programs), lambda: None)))

                def kill(kind: str = kind, node: Any = node, folder: str = folder) -> None:
                    if kind == "a node":
                        cluster.remove_node(node, allow_graceful=False)
                    else:
                        os.kill(int(os.listdir(folder)[0]), signal.SIGKILL)

                waits.append(max(gaps(runner.stream(programs), kill)))
            if kind == "a grader":
                cluster.remove_node(node)
        table.add_row(kind, spread(waits), spread(undisturbed))
    return table


def noting_its_grader(program: Program, folder: str) -> Program:
    """Give a program a checker that writes the identifier of the process of its grader."""

    def checker(given: Any, answer: Any, expected: Any) -> bool:
        (Path(folder) / str(os.getpid())).touch()
        return True

    return Program(program.source, program.tests, checker)


def gaps(stream: Iterator[ExecutionReport], kill: Any) -> Iterator[float]:
    """Seconds between the reports after the tenth, at which something is killed."""
    for number, report in enumerate(stream):
        if number == 10:
            kill()
            began = time.perf_counter()
        if number > 10:
            check([report])
            yield time.perf_counter() - began
            began = time.perf_counter()


def check(reports: Sequence[ExecutionReport]) -> None:
    """Stop if a right program did not pass."""
    wrong = [report for report in reports if report.outcome is not Outcome.PASS]
    if wrong:
        raise SystemExit(f"{len(wrong)} of {len(reports)} right programs did not pass, such as {wrong[0]}")


def idle_cpu(seconds: float = 5.0) -> float:
    """CPU seconds per second while nothing is graded."""
    before = cpu_of_all_processes()
    time.sleep(seconds)
    return (cpu_of_all_processes() - before) / seconds


def cpu_of_all_processes() -> float:
    """CPU seconds of this process and its descendants, with those that have ended."""
    pids, total = [os.getpid()], 0.0
    for pid in pids:  # grows during the loop
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            for task in Path(f"/proc/{pid}/task").iterdir():
                pids += map(int, (task / "children").read_text().split())
        except OSError:  # it has just ended
            continue
        total += sum(map(int, fields[11:15])) / _TICKS
    return total


def spread(values: Sequence[float]) -> str:
    """Median, lowest and highest value."""
    return f"{statistics.median(values):.3g} [{min(values):.3g}, {max(values):.3g}]"


def run_command() -> None:
    """Run the benchmark with the arguments of the command line."""
    main(HfArgumentParser(BenchArguments).parse_args_into_dataclasses()[0], Console())
