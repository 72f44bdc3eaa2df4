"""Load the problems of an evaluation."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import Literal

from datasets import Dataset, load_from_disk

from .. import __version__
from ..data import load_benchmark, select_tests
from ..data.options import solution_runner
from ..data.test_sources import SOURCES_COLUMN
from .benchmark_arguments import BenchmarkArguments


_RUN_SOLUTIONS = ("humaneval_plus", "mbpp_plus")  # in the form of a file; that on the Hub has tests
_POLL_SECONDS = 1.0


def load_benchmark_problems(
    script_args: BenchmarkArguments, *, folder: Path | None = None, is_first: bool = True
) -> Dataset:
    """
    Load the problems that arguments describe.

    To load a file of EvalPlus takes minutes, since all canonical solutions run. With a folder, the result is kept there: the
    other processes of a run, and a resumed run, load it from there.

    Args:
        script_args ([`BenchmarkArguments`]): Benchmark, dataset, split and columns.
        folder (`Path`, *optional*): Folder of the run.
        is_first (`bool`, *optional*, defaults to `True`): Whether this is the first process of the run. The others wait for
            it.

    Returns:
        [`~datasets.Dataset`]: Problems with the columns of `load_benchmark`.

    Raises:
        FileNotFoundError: If there is no such file, folder or dataset.
        ValueError: If an argument or a row is malformed.
    """
    path = None if script_args.dataset_name is None else Path(script_args.dataset_name).expanduser()
    if script_args.benchmark not in _RUN_SOLUTIONS or path is None or not path.exists():
        return _load(script_args)
    if folder is None:
        return _load(script_args, runs_solutions=True)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{str(folder)!r} is a file, but must be a folder for the samples. Give another name.")
    copy = folder / f"problems-{_digest(script_args, path)}"
    if is_first and not copy.is_dir():
        unfinished = copy.with_name(f".{copy.name}.{os.getpid()}")
        _load(script_args, runs_solutions=True).save_to_disk(str(unfinished))
        for outdated in folder.glob("problems-*/"):
            shutil.rmtree(outdated)
        os.replace(unfinished, copy)
    while not copy.is_dir():
        time.sleep(_POLL_SECONDS)
    return load_from_disk(str(copy))


def select_test_source(problems: Dataset, source: Literal["original", "new", "both"]) -> Dataset:
    """
    Keep the tests from one source, and the problems that have some.

    Args:
        problems ([`~datasets.Dataset`]): Problems of an evaluation.
        source (`str`): `"original"`, `"new"` or `"both"`.

    Returns:
        [`~datasets.Dataset`]: The problems with these tests.

    Raises:
        ValueError: If the dataset does not say where its tests come from, or no test is left.
    """
    if source == "both":
        return problems
    if SOURCES_COLUMN not in problems.column_names:
        raise ValueError(
            f"`test_source` is {source!r}, but the dataset has no column `{SOURCES_COLUMN}`. Use a dataset of `trl-rltf "
            "augment-tests` with `benchmark` 'columns', or leave `test_source` out."
        )
    rows = [row for problem in problems if (row := select_tests(problem, source)) is not None]
    if not rows:
        raise ValueError(f"`test_source` is {source!r}, but no problem has such a test. Use another source.")
    return Dataset.from_list(rows, features=problems.features)


def _load(script_args: BenchmarkArguments, *, runs_solutions: bool = False) -> Dataset:
    # Calling a script is the opt-in.
    with solution_runner(allow_code_eval=True) if runs_solutions else contextlib.nullcontext() as runner:
        return load_benchmark(
            script_args.benchmark,
            script_args.dataset_name,
            script_args.dataset_test_split,
            subset=script_args.dataset_subset,
            columns=script_args.columns(),
            difficulties=script_args.difficulties,
            start_date=script_args.start_date,
            end_date=script_args.end_date,
            bad_rows=script_args.bad_rows,
            runner=runner,
        )


def _digest(script_args: BenchmarkArguments, path: Path) -> str:
    """Digest of all that the loaded problems depend on."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    state = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    names = ("benchmark", "dataset_subset", "dataset_test_split", "difficulties", "bad_rows")
    values = [__version__, state, *(getattr(script_args, name) for name in names)]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]
