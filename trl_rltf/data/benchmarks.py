"""Load the problems of a benchmark by its name."""

from __future__ import annotations

import contextlib
import datetime
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, Literal

from datasets import Dataset, Features, Value, concatenate_datasets
from datasets import List as ListOf

from ..execution.program import Runner
from .apps import read_apps
from .contests import read_code_contests, read_taco
from .humaneval import read_humaneval, read_mbpp_plus
from .known_flaws import flawed_problems
from .livecodebench import read_livecodebench, release_files
from .mbpp import read_mbpp
from .notices import RowNotice, summarize_notices
from .options import Columns, Options
from .problems import FEATURES
from .rows import BadRow, LeftOut, Row
from .sources import read_rows
from .test_case_lists import read_columns, read_deepcoder, read_open_r1
from .test_sources import SOURCES_COLUMN


logger = logging.getLogger(__name__)
BENCHMARK_FEATURES = Features({**FEATURES, "time_limit": Value("float64"), "memory_limit": Value("int64")})
_WITH_SOURCES = Features({**BENCHMARK_FEATURES, SOURCES_COLUMN: ListOf(Value("string"))})
_MAX_CHARACTERS = 2**28  # of the rows that become one table of Arrow, whose texts have 32-bit offsets
Reader = Callable[[Row, Options], dict[str, Any]]


@dataclass(frozen=True)
class Benchmark:
    """
    A benchmark that [`load_benchmark`] knows.

    Args:
        hub_id (`str`): Id of its dataset on the Hub; empty for datasets with named columns.
        split (`str`): Split that is loaded by default.
        read (`Callable`, *optional*): Reads a row. Not used with `load`.
        load (`Callable`, *optional*): Reads all rows from a path, a split and a subset: for APPS and MBPP. A row that is
            malformed or cannot be graded is an error, which is not raised.
        subset (`str`, *optional*): Configuration that is loaded by default.
        files (`Callable[[str | None], list[str]]`, *optional*): Names the files of a subset, for a dataset that comes with a
            loading script.
        has_dates (`bool`, *optional*, defaults to `False`): Whether problems can be chosen by the date of their contest.
    """

    hub_id: str
    split: str
    read: Reader | None = None
    _: KW_ONLY
    load: Callable[[str | Path, str, str | None], Iterable[dict[str, Any] | BadRow | LeftOut]] | None = None
    subset: str | None = None
    files: Callable[[str | None], list[str]] | None = None
    has_dates: bool = False


BENCHMARKS: dict[str, Benchmark] = {
    "apps": Benchmark("codeparrot/apps", "test", load=lambda path, split, subset: read_apps(path, split)),
    "code_contests": Benchmark("deepmind/code_contests", "test", read_code_contests),
    "columns": Benchmark("", "train", read_columns),
    "deepcoder": Benchmark("agentica-org/DeepCoder-Preview-Dataset", "test", read_deepcoder, subset="lcbv5"),
    "humaneval": Benchmark("openai/openai_humaneval", "test", read_humaneval),
    "humaneval_plus": Benchmark("evalplus/humanevalplus", "test", read_humaneval),
    "livecodebench": Benchmark(
        "livecodebench/code_generation_lite", "test", read_livecodebench, files=release_files, has_dates=True
    ),
    "mbpp": Benchmark("google-research-datasets/mbpp", "test", load=read_mbpp, subset="full"),
    "mbpp_plus": Benchmark("evalplus/mbppplus", "test", read_mbpp_plus),
    "mbpp_sanitized": Benchmark("google-research-datasets/mbpp", "test", load=read_mbpp, subset="sanitized"),
    "open_r1": Benchmark("open-r1/verifiable-coding-problems-python", "train", read_open_r1),
    "taco": Benchmark("BAAI/TACO", "test", read_taco, subset="ALL"),
}


def load_benchmark(
    name: str,
    path: str | Path | None = None,
    split: str | None = None,
    *,
    subset: str | None = None,
    columns: Columns | None = None,
    difficulties: Sequence[str] | None = None,
    start_date: str | None = None,
    end_date: str | None = None,
    leave_out_flawed: bool = False,
    bad_rows: Literal["raise", "skip"] = "raise",
    runner: Runner | None = None,
    on_notice: Callable[[RowNotice], None] | None = None,
) -> Dataset:
    """
    Load the problems of a benchmark, with its prompts.

    Rows that cannot be graded, such as problems without tests, are left out; a warning says how many, and why.

    Args:
        name (`str`): Name of the benchmark: `"humaneval"`, `"humaneval_plus"`, `"mbpp"`, `"mbpp_sanitized"`, `"mbpp_plus"`,
            `"apps"`, `"code_contests"`, `"taco"`, `"livecodebench"`, `"open_r1"`, `"deepcoder"`, or `"columns"` for any other
            dataset. The ids of their datasets on the Hub work too.
        path (`str` or `Path`, *optional*): A file (`.jsonl`, `.json`, either with `.gz`, or `.parquet`), a folder with such files
            or from `Dataset.save_to_disk`, or the id of a dataset on the Hub with the same columns. Defaults to the dataset of
            the benchmark on the Hub.
        split (`str`, *optional*): Split to load. Defaults to that of the benchmark, mostly `"test"`. A file has only one.
        subset (`str`, *optional*): Configuration of the dataset, such as `"release_v5"` of LiveCodeBench or `"taco"` of DeepCoder.
            Defaults to that of the benchmark.
        columns ([`Columns`], *optional*): Names of the columns, for `"columns"`.
        difficulties (`Sequence[str]`, *optional*): Values of the column `difficulty` to keep. Defaults to all.
        start_date (`str`, *optional*): First day of the contests to keep, as `"2024-08-01"`; LiveCodeBench only.
        end_date (`str`, *optional*): Last day of the contests to keep.
        leave_out_flawed (`bool`, *optional*, defaults to `False`): Leave out the problems in `KNOWN_FLAWS`.
        bad_rows (`str`, *optional*, defaults to `"raise"`): `"raise"` stops at the first malformed row; `"skip"` leaves such rows
            out, and the warning counts them by column.
        runner ([`~execution.Runner`], *optional*): Grader for the canonical solutions in the files of EvalPlus, whose outputs are
            the expected ones. Defaults to a [`~execution.LocalRunner`].
        on_notice (`Callable[[RowNotice], None]`, *optional*): Called with a [`RowNotice`] for each row that is left out or
            renamed, instead of the warning.

    Returns:
        [`~datasets.Dataset`]: Columns `prompt`, `tests`, `solutions`, `problem_id`, `difficulty`, `starter_code`, `time_limit`
        (seconds per test) and `memory_limit` (bytes); the limits are null where the benchmark has none. A dataset of `trl-rltf
        augment-tests` has `test_sources` too.

    Raises:
        FileNotFoundError: If there is no such file, folder or dataset.
        ValueError: If an argument or a row is malformed, or no problem is left. The message names the row and the column.
    """
    name, benchmark = _find(name)
    _check_arguments(name, benchmark, path, columns, start_date, end_date, bad_rows)
    subset = benchmark.subset if subset is None else subset
    where = benchmark.hub_id if path is None else path
    notices: list[RowNotice] = []
    options = Options(columns or Columns(), runner, start_date, end_date)
    with contextlib.closing(options):
        problems = _problems(benchmark, where, split or benchmark.split, subset, options, notices, bad_rows)
        kept = _kept(problems, name, difficulties, leave_out_flawed, notices, where)
        dataset = _collect(kept)
    if on_notice is not None:
        for notice in notices:
            on_notice(notice)
    elif summary := summarize_notices(notices):
        num_left_out = sum(notice.kind != "renamed" for notice in notices)
        total = len(dataset) + num_left_out
        logger.warning("%s: %d of %d rows are left out: %s", where, num_left_out, total, summary)
    return dataset


def _find(name: str) -> tuple[str, Benchmark]:
    by_id = {benchmark.hub_id: known for known, benchmark in reversed(BENCHMARKS.items())}
    known = by_id.get(name, name) if name else name
    if known not in BENCHMARKS:
        raise ValueError(
            f"there is no benchmark {name!r}. Known are {', '.join(BENCHMARKS)}; for any other dataset, use 'columns' with its "
            "path and the names of its columns."
        )
    return known, BENCHMARKS[known]


def _check_arguments(
    name: str,
    benchmark: Benchmark,
    path: str | Path | None,
    columns: Columns | None,
    start_date: str | None,
    end_date: str | None,
    bad_rows: str,
) -> None:
    if name == "columns" and path is None:
        raise ValueError(
            "`path` is missing. Benchmark 'columns' needs a file, a folder or the id of a dataset on the Hub."
        )
    if name != "columns" and columns is not None:
        raise ValueError(
            f"`columns` is for the benchmark 'columns', but this is {name!r}, whose columns are known. Leave it out."
        )
    if bad_rows not in ("raise", "skip"):
        raise ValueError(f"`bad_rows` is {bad_rows!r}, but must be 'raise' or 'skip'.")
    for argument, date in (("start_date", start_date), ("end_date", end_date)):
        if date is None:
            continue
        if not benchmark.has_dates:
            raise ValueError(f"`{argument}` is {date!r}, but problems of {name!r} have no dates. Leave it out.")
        try:
            datetime.date.fromisoformat(date)
        except ValueError as error:
            raise ValueError(f"`{argument}` is {date!r}, but must be a date such as '2024-08-01'.") from error


def _problems(
    benchmark: Benchmark,
    path: str | Path,
    split: str,
    subset: str | None,
    options: Options,
    notices: list[RowNotice],
    bad_rows: str,
) -> Iterator[dict[str, Any]]:
    unnamed = "that are not JSON objects" if benchmark.load is None else "that are malformed"
    for row in _read(benchmark, path, split, subset, options):
        if isinstance(row, LeftOut):
            notices.append(RowNotice("left_out", row.where, row.reason))
        elif isinstance(row, BadRow):
            if bad_rows == "raise":
                raise ValueError(f'{row} (`bad_rows="skip"` leaves such rows out.)') from row
            reason = f"with a malformed column `{row.column}`" if row.column else unnamed
            notices.append(RowNotice("malformed", str(row).partition(": ")[0], reason, str(row)))
        else:
            yield {**dict.fromkeys(BENCHMARK_FEATURES), **row}


def _read(
    benchmark: Benchmark, path: str | Path, split: str, subset: str | None, options: Options
) -> Iterator[dict[str, Any] | BadRow | LeftOut]:
    if benchmark.load is not None:
        yield from benchmark.load(path, split, subset)
        return
    read = benchmark.read or read_columns
    files = None if benchmark.files is None or Path(path).expanduser().is_file() else benchmark.files(subset)
    for row in read_rows(path, split=split, subset=subset, files=files):
        problem: dict[str, Any] | BadRow | LeftOut
        try:
            problem = row if isinstance(row, BadRow) else read(row, options)
        except (LeftOut, BadRow) as error:
            problem = error
        yield problem


def _kept(
    problems: Iterable[dict[str, Any]],
    name: str,
    difficulties: Sequence[str] | None,
    leave_out_flawed: bool,
    notices: list[RowNotice],
    where: str | Path,
) -> Iterator[dict[str, Any]]:
    flawed = flawed_problems(name) if leave_out_flawed else frozenset()
    levels = {difficulties} if isinstance(difficulties, str) else None if difficulties is None else set(difficulties)
    found: set[str] = set()
    names: Counter[str] = Counter()
    num_kept = 0
    for problem in problems:
        found.add(problem["difficulty"])
        if levels is not None and problem["difficulty"] not in levels:
            continue
        if problem["problem_id"] in flawed:
            notices.append(RowNotice("left_out", problem["problem_id"], "with a known flaw"))
            continue
        num_kept += 1
        names[problem["problem_id"]] += 1
        count = names[problem["problem_id"]]
        if count > 1:  # an evaluation tells problems apart by their names
            problem = {**problem, "problem_id": f"{problem['problem_id']} ({count})"}
            notices.append(RowNotice("renamed", problem["problem_id"], "with the name of another row"))
        yield problem
    if levels is not None and not levels <= found:
        raise ValueError(
            f"`difficulties` has {sorted(levels - found)}, but the problems of {name!r} have {sorted(found)}. Choose among "
            "these."
        )
    if num_kept == 0:
        reasons = summarize_notices(notices)
        if not reasons:
            raise ValueError(f"{where}: this has no rows. Check the path and the split.")
        first = next((f" The first of them: {notice.message}" for notice in notices if notice.message), "")
        raise ValueError(
            f"no problem of {name!r} is left. Rows left out: {reasons}. Check the path and the split.{first}"
        )


def _collect(problems: Iterable[dict[str, Any]]) -> Dataset:
    """Make a dataset of rows, in tables of limited size."""
    tables: list[Dataset] = []
    part: list[dict[str, Any]] = []
    size = 0
    features = BENCHMARK_FEATURES
    for problem in problems:
        if SOURCES_COLUMN in problem:
            features = _WITH_SOURCES
        part.append(problem)
        size += len(problem["tests"]) + sum(map(len, problem["solutions"]))
        if size > _MAX_CHARACTERS:
            tables.append(Dataset.from_list(part, features=features))
            part, size = [], 0
    if part or not tables:
        tables.append(Dataset.from_list(part, features=features))
    return tables[0] if len(tables) == 1 else concatenate_datasets(tables)
