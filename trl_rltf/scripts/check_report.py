"""Report the findings of a check as a table, a JSON file and a clean subset."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from rich.console import Console
from rich.table import Table

from ..data import CheckedProblem, Finding, RowNotice
from ..metrics.shards import write_whole


_NUM_NAMES = 3  # problems that the table names per finding


@dataclass(frozen=True)
class CheckReport:
    """
    Findings of a check.

    Args:
        dataset (`str`): Name of the dataset.
        settings (`Mapping[str, Any]`): Settings of the check.
        notices (`Sequence[RowNotice]`): Rows that the loader left out or renamed.
        problems (`Sequence[CheckedProblem]`): Finished problems.
        findings (`Sequence[Mapping[Finding, str]]`): Findings of each of them.
        leave_out (`Sequence[Finding]`): Findings that leave a problem out.
        num_problems (`int`): Number of problems of the dataset, finished or not.
        seconds (`float`): Elapsed seconds.
    """

    dataset: str
    settings: Mapping[str, Any]
    notices: Sequence[RowNotice]
    problems: Sequence[CheckedProblem]
    findings: Sequence[Mapping[Finding, str]]
    leave_out: Sequence[Finding]
    num_problems: int
    seconds: float

    @property
    def bad_rows(self) -> list[RowNotice]:
        """Rows that the loader left out."""
        return [notice for notice in self.notices if notice.kind != "renamed"]

    @property
    def is_left_out(self) -> list[bool]:
        """Whether each finished problem is left out of the clean subset."""
        return [any(finding in self.leave_out for finding in found) for found in self.findings]

    @property
    def has_faults(self) -> bool:
        """Whether a row or a problem is left out."""
        return bool(self.bad_rows) or any(self.is_left_out)

    def to_dict(self) -> dict[str, Any]:
        """Make the content of the JSON report."""
        return {
            "dataset": self.dataset,
            "settings": dict(self.settings),
            "leave_out": [str(finding) for finding in self.leave_out],
            "is_complete": len(self.problems) == self.num_problems,
            "num_problems": self.num_problems,
            "num_checked": len(self.problems),
            "num_left_out": sum(self.is_left_out),
            "counts": {str(finding): len(names) for finding, names in self._names().items()},
            "seconds": round(self.seconds, 3),
            "rows_left_out": [dataclasses.asdict(notice) for notice in self.bad_rows],
            "problems": [
                {
                    "problem_id": problem.problem_id,
                    "is_left_out": is_left_out,
                    "findings": {str(finding): text for finding, text in found.items()},
                    "cpu_seconds": problem.cpu_seconds,
                    "peak_memory": problem.peak_memory,
                    "references": list(map(dataclasses.asdict, problem.references)),
                    "cheats": list(map(dataclasses.asdict, problem.cheats)),
                }
                for problem, found, is_left_out in zip(self.problems, self.findings, self.is_left_out, strict=True)
            ],
        }

    def show(self, console: Console) -> None:
        """Print the table and a summary."""
        console.print(
            f"{self.dataset}: {len(self.problems)} of {self.num_problems} problems checked, {sum(self.is_left_out)} left out.",
            soft_wrap=True,
            highlight=False,
        )
        table = Table("finding")
        for name in ("problems", "share"):
            table.add_column(name, justify="right")
        table.add_column("left out")
        table.add_column("such as", overflow="fold")
        rows = defaultdict(list)
        for notice in self.bad_rows:
            rows[f"row {notice.reason}"].append(notice.where)
        for reason, places in rows.items():
            table.add_row(reason, str(len(places)), "", "yes", "\n".join(places[:_NUM_NAMES]))
        for finding, names in self._names().items():
            share = f"{len(names) / len(self.problems):.1%}"
            left_out = "yes" if finding in self.leave_out else "no"
            table.add_row(str(finding), str(len(names)), share, left_out, ", ".join(names[:_NUM_NAMES]))
        if table.row_count:
            console.print(table)
        for line in self._summary():
            console.print(line, soft_wrap=True, highlight=False)

    def _names(self) -> dict[Finding, list[str]]:
        """Problems with each finding."""
        names: dict[Finding, list[str]] = {finding: [] for finding in Finding}
        for problem, found in zip(self.problems, self.findings, strict=True):
            for finding in found:
                names[finding].append(problem.problem_id)
        return {finding: found for finding, found in names.items() if found}

    def _summary(self) -> Iterator[str]:
        classes = Counter(map(_class_of_references, self.problems))
        parts = [f"{name} {classes[name]}" for name in _CLASSES if classes[name]]
        yield f"Problems by their reference solutions: {', '.join(parts)}."
        ratios = defaultdict(list)
        for problem in self.problems:
            for cheat in problem.cheats:
                ratios[cheat.name].append(cheat.pass_ratio)
        if ratios:
            shares = [f"{name} {statistics.fmean(values):.1%}" for name, values in ratios.items()]
            yield f"Share of the tests that a cheat passes, mean over the problems that have it: {', '.join(shares)}."
        seconds = {p.problem_id: p.cpu_seconds for p in self.problems if p.cpu_seconds is not None}
        if seconds:
            slowest = max(seconds, key=lambda name: seconds[name])
            yield (
                f"CPU seconds of the fastest reference solution: median {statistics.median(seconds.values()):.3f}, most "
                f"{seconds[slowest]:.3f} (problem {slowest})."
            )
        sizes = {p.problem_id: p.peak_memory / 2**20 for p in self.problems if p.peak_memory is not None}
        if sizes:
            largest = max(sizes, key=lambda name: sizes[name])
            yield (
                f"Peak memory of the reference solution that takes least: median {statistics.median(sizes.values()):.0f} MiB, most "
                f"{sizes[largest]:.0f} MiB (problem {largest})."
            )
        num_programs = sum(len(problem.programs) for problem in self.problems)
        yield f"{num_programs} programs, {self.settings['num_runs']} runs each, in {self.seconds:.1f} s."


_CLASSES = ("all pass", "the first passes", "another one passes", "none passes", "there is none")


def _class_of_references(problem: CheckedProblem) -> str:
    passes = [program.passes for program in problem.references]
    if not passes:
        return "there is none"
    if not any(passes):
        return "none passes"
    if all(passes):
        return "all pass"
    return "the first passes" if passes[0] else "another one passes"


def write_report(report: CheckReport, path: Path) -> None:
    """
    Write the JSON report, whole or not at all.

    Args:
        report ([`CheckReport`]): The findings.
        path (`Path`): File to write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, [json.dumps(report.to_dict(), indent=1), "\n"])


def write_clean_subset(problems: Dataset, report: CheckReport, path: Path) -> int:
    """
    Write the problems that are not left out, without solutions that fail.

    Args:
        problems ([`~datasets.Dataset`]): The dataset; all of its problems are in the report.
        report ([`CheckReport`]): The findings.
        path (`Path`): A `.jsonl` file, or a folder for `Dataset.load_from_disk`.

    Returns:
        `int`: Number of problems that were written.
    """
    kept = [index for index, is_left_out in enumerate(report.is_left_out) if not is_left_out]

    def clean(row: dict[str, Any], index: int) -> dict[str, Any]:
        references = report.problems[index].references
        failing = {number for number, program in enumerate(references) if not program.passes}
        solutions = [source for number, source in enumerate(row["solutions"]) if number not in failing]
        return {**row, "solutions": solutions}

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        write_whole(path, (json.dumps(clean(problems[index], index)) + "\n" for index in kept))
    else:
        chosen = problems.select(kept)
        chosen.map(
            lambda row, place: clean(row, kept[place]), with_indices=True, load_from_cache_file=False
        ).save_to_disk(str(path))
    return len(kept)
