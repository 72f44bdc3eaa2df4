"""Arguments of the scripts that take any benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..data import Columns
from .parser import documented


_OF_COLUMNS = (
    "prompt",
    "tests",
    "solutions",
    "problem_id",
    "difficulty",
    "starter_code",
    "time_limit",
    "memory_limit",
)


@documented
@dataclass
class ColumnArguments:
    """
    Names of the columns of a dataset whose columns are not known.

    Args:
        prompt_column (`str`, *optional*):
            With `columns`: column of the prompt. Defaults to prompt.
        tests_column (`str`, *optional*):
            With `columns`: column of the unit tests. Defaults to tests.
        solutions_column (`str`, *optional*):
            With `columns`: column of the reference solutions. Defaults to solutions.
        problem_id_column (`str`, *optional*):
            With `columns`: column with the name of the problem. Defaults to problem_id.
        difficulty_column (`str`, *optional*):
            With `columns`: column of the difficulty. Defaults to difficulty.
        starter_code_column (`str`, *optional*):
            With `columns`: column of the code that a solution begins with. Defaults to starter_code.
        time_limit_column (`str`, *optional*):
            With `columns`: column of the seconds per test. Defaults to time_limit.
        memory_limit_column (`str`, *optional*):
            With `columns`: column of the memory limit. Defaults to memory_limit.
    """

    prompt_column: str | None = None
    tests_column: str | None = None
    solutions_column: str | None = None
    problem_id_column: str | None = None
    difficulty_column: str | None = None
    starter_code_column: str | None = None
    time_limit_column: str | None = None
    memory_limit_column: str | None = None


@documented
@dataclass
class BenchmarkArguments(ColumnArguments):
    """
    Arguments that choose problems: those of [`load_benchmark`].

    Args:
        benchmark (`str`, *optional*, defaults to `"humaneval"`):
            Benchmark of `load_benchmark`; `columns` is any other dataset, whose columns are named by the arguments `*_column`.
        dataset_name (`str`, *optional*):
            File, folder, or dataset of the Hub. Defaults to the benchmark's dataset on the Hub.
        dataset_subset (`str`, *optional*):
            Configuration of the dataset, such as release_v5 of LiveCodeBench. Defaults to that of the benchmark.
        dataset_test_split (`str`, *optional*):
            Split to load. Defaults to that of the benchmark, mostly `test`.
        difficulties (`list[str]`, *optional*):
            Difficulties to keep. Defaults to all.
        start_date (`str`, *optional*):
            First day of the contests to keep, such as 2024-08-01; LiveCodeBench only.
        end_date (`str`, *optional*):
            Last day of the contests to keep.
        bad_rows (`str`, *optional*, defaults to `"raise"`):
            What a malformed row does: `raise` stops, `skip` leaves such rows out and counts them.

    Raises:
        ValueError: If columns are named for a benchmark whose columns are known, or `columns` has no dataset.
    """

    benchmark: Literal[
        "apps",
        "code_contests",
        "columns",
        "deepcoder",
        "humaneval",
        "humaneval_plus",
        "livecodebench",
        "mbpp",
        "mbpp_plus",
        "mbpp_sanitized",
        "open_r1",
        "taco",
    ] = "humaneval"
    dataset_name: str | None = None
    dataset_subset: str | None = None
    dataset_test_split: str | None = None
    difficulties: list[str] | None = None
    start_date: str | None = None
    end_date: str | None = None
    bad_rows: Literal["raise", "skip"] = "raise"

    def __post_init__(self) -> None:
        check_columns(self.benchmark, self.dataset_name, named_columns(self))

    def columns(self) -> Columns | None:
        """
        Names of the columns.

        Returns:
            [`~data.Columns`] or `None`: `None` for a benchmark whose columns are known.
        """
        return Columns(**named_columns(self)) if self.benchmark == "columns" else None


def named_columns(script_args: Any) -> dict[str, str]:
    """
    Columns that the arguments `prompt_column` and so on name.

    Args:
        script_args ([`BenchmarkArguments`] or [`RLTFScriptArguments`]): Arguments of a script.
    """
    names = {name: getattr(script_args, f"{name}_column") for name in _OF_COLUMNS}
    return {name: column for name, column in names.items() if column is not None}


def check_columns(benchmark: str, dataset_name: str | None, named: Mapping[str, str]) -> None:
    """
    Check that columns are named for a dataset whose columns are not known.

    Args:
        benchmark (`str`): Name of the benchmark.
        dataset_name (`str` or `None`): The dataset, if it is named.
        named (`Mapping[str, str]`): The columns of `named_columns`.

    Raises:
        ValueError: If columns are named for a benchmark whose columns are known, or `columns` has no dataset.
    """
    if benchmark != "columns" and named:
        name = next(iter(named))
        raise ValueError(
            f"`{name}_column` names a column of `benchmark` 'columns', but `benchmark` is {benchmark!r}, whose columns "
            "are known. Leave it out."
        )
    if benchmark == "columns" and dataset_name is None:
        raise ValueError(
            "`dataset_name` is missing, but `benchmark` 'columns' needs one: a file, a folder or a dataset of the Hub."
        )
