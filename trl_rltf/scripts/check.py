"""
Check the tests and the reference solutions of a dataset.

    trl-rltf check mbpp
    trl-rltf check problems.jsonl --columns prompt=question tests=test_cases --output clean.jsonl

Running the command is the opt-in to running the programs of the dataset, in the sandbox described in docs/execution.md. The page
docs/check.md describes the findings.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path
from typing import get_args

from datasets import Dataset
from rich.console import Console
from tqdm import tqdm

from ..data import (
    CheckedProblem,
    CheckThresholds,
    Finding,
    RowNotice,
    check_problems,
    find_duplicates,
    find_faults,
)
from ..data.checks.findings import LEFT_OUT_BY_DEFAULT
from ..execution import Runner
from ..execution.limits import TIMEOUT
from ..execution.runner import IsolationChoice
from .bad_input import INTERRUPTED, exit_status
from .check_report import CheckReport, write_clean_subset, write_report
from .dataset_arguments import add_dataset_arguments, find_outputs, load_dataset
from .finished_problems import FinishedProblems
from .runners import runner_of


_FOUND_NOTHING, _FOUND_FAULTS = 0, 1
# Malformed rows cannot be kept.
_CHOICES = [str(finding) for finding in Finding if finding is not Finding.MALFORMED]
_LEFT_OUT = [str(finding) for finding in LEFT_OUT_BY_DEFAULT if finding is not Finding.MALFORMED]
_DESCRIPTION = """Run the reference solutions, the empty program and one-line cheats of each problem twice, and report the problems \
whose tests accept a wrong program or refuse a right one. Exit status: 0 if no problem is left out, 1 if some are, 2 for bad input, \
130 after Ctrl-C; the same command resumes."""


def main(args: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """
    Check the dataset, print the table, and write the report and the clean subset.

    Args:
        args (`argparse.Namespace`): Arguments of [`make_parser`].
        parser (`argparse.ArgumentParser`): The parser, which ends the process with a message if the input cannot be used.

    Returns:
        `int`: 0 if no row or problem is left out, 1 if some are, and 130 after Ctrl-C.
    """
    return exit_status(parser, lambda: _run_command(args))


def _run_command(args: argparse.Namespace) -> int:
    thresholds = CheckThresholds(cheat_pass_ratio=args.cheat_pass_ratio, max_seconds=args.max_seconds)
    report_file, output = find_outputs(args, "check")
    notices: list[RowNotice] = []
    problems = load_dataset(args, notices)
    settings = {name: getattr(args, name) for name in ("num_runs", "test_timeout")}
    finished = FinishedProblems(
        report_file.with_name(f"{report_file.name}.unfinished"),
        settings,
        read=CheckedProblem.from_dict,
        is_gradable=lambda result: all(program.is_gradable for program in result.programs),
        num_solutions=args.num_solutions,
    )
    began = time.perf_counter()
    with runner_of(args) as runner:
        is_interrupted = _run(problems, runner, args, finished)
    results, findings = _find(problems, notices, finished, thresholds)
    report = CheckReport(
        args.dataset,
        {**settings, "num_solutions": args.num_solutions, **dataclasses.asdict(thresholds)},
        notices,
        results,
        findings,
        [Finding(name) for name in args.leave_out if name not in args.keep],
        len(problems),
        time.perf_counter() - began,
    )
    return _finish(report, problems, finished, report_file, output, is_interrupted)


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """
    Make the parser of the command.

    Args:
        prog (`str`, *optional*): Name of the program in the help.

    Returns:
        `argparse.ArgumentParser`: The parser.
    """
    parser = argparse.ArgumentParser(prog=prog, description=_DESCRIPTION)
    add = parser.add_argument
    add_dataset_arguments(parser)
    add("--num_solutions", type=int, default=10, help="reference solutions per problem, from the first (default: 10)")
    add("--num_runs", type=int, default=2, help="runs of each program; 1 finds no flaky tests (default: 2)")
    add(
        "--cheat_pass_ratio",
        type=float,
        default=1.0,
        help="share of the tests that makes a cheat a finding (default: 1)",
    )
    add(
        "--max_seconds", type=float, help="CPU seconds of the fastest reference solution above which a problem is slow"
    )
    add(
        "--leave_out",
        nargs="*",
        choices=_CHOICES,
        default=_LEFT_OUT,
        metavar="FINDING",
        help=f"findings that leave a problem out, of {', '.join(_CHOICES)} (default: {', '.join(_LEFT_OUT)})",
    )
    add("--keep", nargs="+", choices=_CHOICES, default=[], metavar="FINDING", help="findings to remove from that list")
    add("--report", type=Path, help="file for the JSON report (default: outputs/check-<dataset>.json)")
    add("--output", type=Path, help="file (.jsonl) or folder for the problems that are not left out")
    add("--test_timeout", type=float, default=TIMEOUT, help=f"CPU seconds per test (default: {TIMEOUT:g})")
    add("--num_workers", type=int, help="programs that run at a time (default: the number of cores)")
    add("--isolation", choices=get_args(IsolationChoice), default="auto", help="isolation of the programs")
    add("--ray_address", help="address of a Ray cluster whose nodes grade the programs")
    add("--ray_num_cpus", type=float, help="CPUs that the grader of a node asks Ray for (default: all of the node)")
    add(
        "--ray_resources",
        nargs="+",
        metavar="NAME=AMOUNT",
        help="custom resources that it asks for, such as grading=1",
    )
    return parser


def _run(
    problems: Dataset, runner: Runner, args: argparse.Namespace, finished: FinishedProblems[CheckedProblem]
) -> bool:
    """Check the problems that are not finished. Returns whether Ctrl-C ended this."""
    pending = [index for index, problem in enumerate(problems) if finished.get(problem) is None]
    rows = (problems[index] for index in pending)
    checked = check_problems(rows, runner, num_solutions=args.num_solutions, num_runs=args.num_runs)
    done = len(problems) - len(pending)
    try:
        with tqdm(total=len(problems), initial=done, unit="problem", disable=None) as progress:
            for index, result in zip(pending, checked, strict=True):
                finished.add(problems[index], result)
                progress.update()
    except KeyboardInterrupt:
        return True
    finally:
        finished.close()
    return False


def _find(
    problems: Dataset,
    notices: list[RowNotice],
    finished: FinishedProblems[CheckedProblem],
    thresholds: CheckThresholds,
) -> tuple[list[CheckedProblem], list[dict[Finding, str]]]:
    """Results of the finished problems, and their findings."""
    renamed = {notice.where for notice in notices if notice.kind == "renamed"}
    results, findings = [], []
    for problem, found in zip(problems, find_duplicates(problems), strict=True):
        result = finished.get(problem)
        if result is None:
            continue
        if problem["problem_id"] in renamed:
            found = {Finding.DUPLICATE_ID: "an earlier row has the same id", **found}
        results.append(result)
        findings.append({**found, **find_faults(result, thresholds)})
    return results, findings


def _finish(
    report: CheckReport,
    problems: Dataset,
    finished: FinishedProblems[CheckedProblem],
    report_file: Path,
    output: Path | None,
    is_interrupted: bool,
) -> int:
    write_report(report, report_file)
    lines = [f"Report: {report_file}"]
    if not is_interrupted:
        if output is not None:
            lines.append(f"{write_clean_subset(problems, report, output)} problems: {output}")
        finished.delete()
    console = Console()  # after the files are written, since its pipe may be closed
    report.show(console)
    console.print("   ".join(lines), soft_wrap=True, highlight=False)
    if is_interrupted:
        console.print("Interrupted. The same command resumes the check.")
        return INTERRUPTED
    return _FOUND_FAULTS if report.has_faults else _FOUND_NOTHING
