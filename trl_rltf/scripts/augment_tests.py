"""
Give the problems of a dataset more tests.

    trl-rltf augment-tests mbpp --allow_single_solution --output mbpp-augmented
    trl-rltf augment-tests path/to/apps --benchmark apps --split train --output apps-augmented.jsonl

Running the command is the opt-in to running the programs of the dataset, in the sandbox described in docs/execution.md. The page
docs/augment_tests.md describes how the tests are made.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path

from datasets import Dataset
from rich.console import Console
from tqdm import tqdm

from ..data import (
    AugmentationSettings,
    AugmentedProblem,
    HypothesisInputs,
    InputSource,
    ModelInputs,
    MutatedInputs,
    RowNotice,
    augment_problems,
)
from ..execution import LocalRunner, Runner
from ..execution.limits import TIMEOUT, default_num_workers
from .augment_report import AugmentationReport, write_dataset, write_report
from .bad_input import INTERRUPTED, exit_status
from .dataset_arguments import add_dataset_arguments, find_outputs, load_dataset
from .finished_problems import FinishedProblems


_SOURCES = ("mutation", "hypothesis", "model")
_DEFAULTS = AugmentationSettings()
_DESCRIPTION = """Make inputs, keep those on which the reference solutions agree, and add the tests that kill the most mutants of the \
solutions. Exit status: 0, 2 for bad input, 130 after Ctrl-C; the same command resumes."""


def main(args: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """
    Augment the dataset, print the table, and write the report and the dataset.

    Args:
        args (`argparse.Namespace`): Arguments of [`make_parser`].
        parser (`argparse.ArgumentParser`): The parser, which ends the process with a message if the input cannot be used.

    Returns:
        `int`: 0, or 130 after Ctrl-C.
    """
    return exit_status(parser, lambda: _run_command(args))


def _run_command(args: argparse.Namespace) -> int:
    settings = AugmentationSettings(
        **{
            field.name: getattr(args, field.name)
            for field in dataclasses.fields(_DEFAULTS)
            if hasattr(args, field.name)
        }
    )
    report_file, output = find_outputs(args, "augment-tests")
    notices: list[RowNotice] = []
    problems = load_dataset(args, notices)
    wrong_programs = read_wrong_programs(args.wrong_programs)
    of_model = ("model_name_or_path", "num_programs", "max_completion_length", "temperature")
    shown = {
        **dataclasses.asdict(settings),
        **{name: getattr(args, name) for name in ("sources", "test_timeout")},
        **({name: getattr(args, name) for name in of_model} if "model" in args.sources else {}),
    }
    finished = FinishedProblems(
        report_file.with_name(f"{report_file.name}.unfinished"),
        {**shown, "wrong_programs": wrong_programs},
        read=AugmentedProblem.from_dict,
        is_gradable=lambda result: result.is_gradable,
    )
    began = time.perf_counter()
    num_workers = default_num_workers() if args.num_workers is None else args.num_workers
    # Answers are kept by a function in this process, which the nodes of a cluster cannot call.
    with LocalRunner(num_workers, args.test_timeout, allow_code_eval=True) as runner:
        sources = make_sources(args, runner)
        is_interrupted = _run(problems, runner, settings, sources, wrong_programs, num_workers, finished)
    results = [result for problem in problems if (result := finished.get(problem)) is not None]
    seconds = time.perf_counter() - began
    report = AugmentationReport(args.dataset, shown, notices, results, len(problems), seconds)
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
    numbers = {
        "num_tests": "new tests per problem, at most",
        "num_inputs": "inputs per problem from each source, at most",
        "num_solutions": "reference solutions per problem that take part, at most",
        "num_mutants": "mutants per problem, at most",
        "seed": "seed of all choices",
    }
    for name, text in numbers.items():
        default = getattr(_DEFAULTS, name)
        add(f"--{name}", type=int, default=default, help=f"{text} (default: {default})")
    add("--allow_single_solution", action="store_true", help="trust the solution of a problem that has only one")
    add(
        "--max_disagreement",
        type=float,
        default=_DEFAULTS.max_disagreement,
        help="share of the inputs on which solutions disagree above which a problem has several right answers "
        f"(default: {_DEFAULTS.max_disagreement:g})",
    )
    add(
        "--max_seconds",
        type=float,
        default=_DEFAULTS.max_seconds,
        help=f"CPU seconds of a solution per input (default: {_DEFAULTS.max_seconds:g})",
    )
    add(
        "--sources",
        nargs="+",
        choices=_SOURCES,
        default=["mutation", "hypothesis"],
        help="sources of inputs (default: mutation hypothesis)",
    )
    add("--model_name_or_path", help="model that writes programs which make inputs, for --sources model")
    add("--num_programs", type=int, default=1, help="programs per problem that the model writes (default: 1)")
    add("--max_completion_length", type=int, default=512, help="tokens of such a program, at most (default: 512)")
    add("--temperature", type=float, default=0.8, help="sampling temperature of the model; 0 is greedy (default: 0.8)")
    add("--wrong_programs", type=Path, help="JSON Lines with problem_id and program: wrong programs to kill too")
    add("--report", type=Path, help="file for the JSON report (default: outputs/augment-tests-<dataset>.json)")
    add("--output", type=Path, help="file (.jsonl) or folder for the problems with their new tests")
    add("--test_timeout", type=float, default=TIMEOUT, help=f"CPU seconds per original test (default: {TIMEOUT:g})")
    add("--num_workers", type=int, help="problems and programs at a time (default: the number of cores)")
    return parser


def read_wrong_programs(path: Path | None) -> dict[str, list[str]]:
    """
    Read wrong programs by problem.

    Args:
        path (`Path`, *optional*): JSON Lines with `problem_id` and `program`.

    Returns:
        `dict[str, list[str]]`: Programs by `problem_id`.

    Raises:
        ValueError: If a line is malformed. The message names it.
    """
    programs: dict[str, list[str]] = {}
    lines = [] if path is None else path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            name, program = row["problem_id"], row["program"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path}:{number}: a line of `wrong_programs` must be an object with `problem_id` and `program` ({error!r})."
            ) from error
        if not isinstance(program, str):
            raise ValueError(f"{path}:{number}: `program` is a {type(program).__name__}, but must be a text.")
        programs.setdefault(str(name), []).append(program)
    return programs


def make_sources(args: argparse.Namespace, runner: Runner) -> list[InputSource]:
    """
    Make the sources of inputs, in a fixed order.

    Args:
        args (`argparse.Namespace`): Arguments of the command.
        runner ([`~execution.Runner`]): Runs the programs that a model writes.

    Returns:
        `list[InputSource]`: The sources.

    Raises:
        ValueError: If a model is missing, or given without the source.
        ImportError: If hypothesis is not installed.
    """
    sources: list[InputSource] = []
    if "mutation" in args.sources:
        sources.append(MutatedInputs())
    if "hypothesis" in args.sources:
        sources.append(HypothesisInputs())
    if ("model" in args.sources) != (args.model_name_or_path is not None):
        raise ValueError("`--sources model` and `--model_name_or_path` belong together. Give both, or neither.")
    if args.model_name_or_path is not None:
        from .input_model import load_input_model  # loads torch

        complete = load_input_model(
            args.model_name_or_path,
            temperature=args.temperature,
            max_completion_length=args.max_completion_length,
            seed=args.seed,
        )
        sources.append(ModelInputs(complete, runner, num_programs=args.num_programs))
    return sources


def _run(
    problems: Dataset,
    runner: Runner,
    settings: AugmentationSettings,
    sources: Sequence[InputSource],
    wrong_programs: dict[str, list[str]],
    num_workers: int,
    finished: FinishedProblems[AugmentedProblem],
) -> bool:
    """Augment the problems that are not finished. Returns whether Ctrl-C ended this."""
    pending = [index for index, problem in enumerate(problems) if finished.get(problem) is None]
    results = augment_problems(
        (problems[index] for index in pending),
        runner,
        settings=settings,
        sources=sources,
        wrong_programs=wrong_programs,
        num_workers=num_workers,
    )
    try:
        with tqdm(total=len(problems), initial=len(problems) - len(pending), unit="problem", disable=None) as progress:
            for index, result in zip(pending, results, strict=True):
                finished.add(problems[index], result)
                progress.update()
    except KeyboardInterrupt:
        return True
    finally:
        finished.close()
    return False


def _finish(
    report: AugmentationReport,
    problems: Dataset,
    finished: FinishedProblems[AugmentedProblem],
    report_file: Path,
    output: Path | None,
    is_interrupted: bool,
) -> int:
    write_report(report, report_file)
    lines = [f"Report: {report_file}"]
    if not is_interrupted:
        if output is not None:
            write_dataset(problems, report.problems, output)
            lines.append(f"Dataset: {output}")
        finished.delete()
    console = Console()  # after the files are written, since its pipe may be closed
    report.show(console)
    console.print("   ".join(lines), soft_wrap=True, highlight=False)
    if is_interrupted:
        console.print("Interrupted. The same command resumes.")
        return INTERRUPTED
    return 0
