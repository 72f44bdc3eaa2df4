"""Arguments of the commands that go through the problems of a dataset."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import itertools
from pathlib import Path

from datasets import Dataset

from ..data import BENCHMARKS, Columns, RowNotice, load_benchmark


def add_dataset_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Add the arguments that choose the problems.

    Args:
        parser (`argparse.ArgumentParser`): Gets the arguments.
    """
    add = parser.add_argument
    add("dataset", help="a benchmark, or a file, a folder or the id of a dataset on the Hub")
    add(
        "--benchmark",
        choices=sorted(BENCHMARKS),
        help="benchmark whose columns a file or folder has (default: columns)",
    )
    add("--split", help="split to load (default: that of the benchmark, mostly test)")
    add("--subset", help="configuration of the dataset (default: that of the benchmark)")
    names = ", ".join(field.name for field in dataclasses.fields(Columns) if field.name != "_")
    add("--columns", nargs="+", default=[], metavar="NAME=COLUMN", help=f"columns of another dataset: {names}")
    add("--difficulties", nargs="+", help="difficulties to keep (default: all)")
    add("--max_problems", type=int, help="number of problems, from the first (default: all)")


def find_outputs(args: argparse.Namespace, command: str) -> tuple[Path, Path | None]:
    """
    Find the files that a command writes, and check that they can be written.

    Args:
        args (`argparse.Namespace`): Arguments `dataset`, `report` and `output`.
        command (`str`): Name of the command, for the default of the report.

    Returns:
        `tuple[Path, Path | None]`: The report, and the dataset that is written, if one is.

    Raises:
        ValueError: If a file cannot be written there.
    """
    report: Path = args.report or _free_report(f"{command}-{Path(args.dataset).stem or 'dataset'}")
    output: Path | None = args.output
    if output is not None:
        if output.suffix not in ("", ".jsonl"):
            raise ValueError(f"`output` is {str(output)!r}, but must be a .jsonl file or a folder.")
        if output.suffix == "" and output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise ValueError(f"{output}: this exists and is not an empty folder. Give --output another name.")
    for path in (report, output):
        if path is not None and path.is_file() and Path(args.dataset).is_file() and path.samefile(args.dataset):
            raise ValueError(f"{path}: this is the dataset. Give --report and --output other names.")
    if output is not None and output.absolute() == report.absolute():
        raise ValueError(f"{output}: this is the file of the report. Give --output another name.")
    if report.is_dir():
        raise ValueError(f"{report}: this is a folder. Give --report the name of a file.")
    return report, output


def _free_report(name: str) -> Path:
    """The first name under which there is no finished report of an earlier command."""
    for number in itertools.count(1):
        path = Path("outputs") / (f"{name}.json" if number == 1 else f"{name}-{number}.json")
        if not path.exists() or path.with_name(f"{path.name}.unfinished").exists():
            return path
    raise AssertionError("The numbers do not end.")


def load_dataset(args: argparse.Namespace, notices: list[RowNotice]) -> Dataset:
    """
    Load the problems that the arguments describe.

    Args:
        args (`argparse.Namespace`): Arguments of `add_dataset_arguments`.
        notices (`list[RowNotice]`): Gets the rows that are left out or renamed.

    Returns:
        [`~datasets.Dataset`]: The problems.

    Raises:
        ValueError: If an argument is malformed, or no problem is left.
    """
    known = {*BENCHMARKS, *(benchmark.hub_id for benchmark in BENCHMARKS.values())} - {"", "columns"}
    name, path = args.benchmark or "columns", args.dataset
    if args.benchmark is None and path in known and not Path(path).exists():
        name, path = path, None
    if name == "columns" and "/" not in path and Path(path).suffix == "" and not Path(path).exists():
        near = difflib.get_close_matches(path, known, n=1)
        raise ValueError(
            f"there is no benchmark, file or folder {path!r}.{f' Did you mean {near[0]}?' if near else ''} Benchmarks are "
            f"{', '.join(sorted(set(BENCHMARKS) - {'columns'}))}."
        )
    problems = load_benchmark(
        name,
        path,
        args.split,
        subset=args.subset,
        columns=_columns(args.columns),
        difficulties=args.difficulties,
        bad_rows="skip",
        on_notice=notices.append,
    )
    if args.max_problems is None:
        return problems
    if args.max_problems < 1:
        raise ValueError(f"`max_problems` is {args.max_problems}, but must be at least 1.")
    return problems.select(range(min(args.max_problems, len(problems))))


def _columns(pairs: list[str]) -> Columns | None:
    names = {field.name for field in dataclasses.fields(Columns) if field.name != "_"}
    chosen = dict(pair.partition("=")[::2] for pair in pairs)
    for name, column in chosen.items():
        if name not in names or not column:
            raise ValueError(
                f"`columns` has {f'{name}={column}'!r}, but must have pairs such as tests=test_cases. Known names are "
                f"{', '.join(sorted(names))}."
            )
    return Columns(**chosen) if chosen else None
