"""Report new tests as a table and a JSON file, and write the dataset with them."""

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

from ..data import AugmentedProblem, RowNotice, with_new_tests
from ..data.augmentation.results import ORIGINAL, LeftAlone
from ..metrics.shards import write_whole


_NUM_NAMES = 3  # problems that the table names per reason


@dataclass(frozen=True)
class AugmentationReport:
    """
    What became of the problems of a dataset.

    Args:
        dataset (`str`): Name of the dataset.
        settings (`Mapping[str, Any]`): Settings of the command.
        notices (`Sequence[RowNotice]`): Rows that the loader left out or renamed.
        problems (`Sequence[AugmentedProblem]`): Finished problems.
        num_problems (`int`): Number of problems of the dataset, finished or not.
        seconds (`float`): Elapsed seconds.
    """

    dataset: str
    settings: Mapping[str, Any]
    notices: Sequence[RowNotice]
    problems: Sequence[AugmentedProblem]
    num_problems: int
    seconds: float

    @property
    def augmented(self) -> list[AugmentedProblem]:
        """Problems with new tests."""
        return [problem for problem in self.problems if not problem.left_alone]

    def to_dict(self) -> dict[str, Any]:
        """Make the content of the JSON report."""
        return {
            "dataset": self.dataset,
            "settings": dict(self.settings),
            "is_complete": len(self.problems) == self.num_problems,
            "num_problems": self.num_problems,
            "num_finished": len(self.problems),
            "num_augmented": len(self.augmented),
            "num_tests_before": sum(problem.num_before for problem in self.problems),
            "num_tests_after": sum(problem.num_after for problem in self.problems),
            **self._kills(),
            "left_alone": {reason: len(names) for reason, names in self._left_alone().items()},
            "test_sources": dict(Counter(name for problem in self.problems for name in problem.test_sources)),
            "seconds": round(self.seconds, 3),
            "rows_left_out": [dataclasses.asdict(notice) for notice in self.notices if notice.kind != "renamed"],
            "problems": [_without_tests(problem) for problem in self.problems],
        }

    def show(self, console: Console) -> None:
        """Print the table and a summary."""
        console.print(
            f"{self.dataset}: {len(self.problems)} of {self.num_problems} problems finished, {len(self.augmented)} with new tests.",
            soft_wrap=True,
            highlight=False,
        )
        if self.augmented:
            console.print(self._table())
        reasons = Table("left alone", "problems", "such as")
        for reason, names in self._left_alone().items():
            reasons.add_row(reason, str(len(names)), ", ".join(names[:_NUM_NAMES]))
        if reasons.row_count:
            console.print(reasons)
        names = self._left_alone().get(str(LeftAlone.ONE_SOLUTION), [])
        if names:
            console.print(
                f"{len(names)} problems have one reference solution, which nothing confirms. `--allow_single_solution` trusts it.",
                soft_wrap=True,
                highlight=False,
            )
        for line in self._summary():
            console.print(line, soft_wrap=True, highlight=False)

    def _table(self) -> Table:
        table = Table("problems with new tests")
        for name in ("before", "after"):
            table.add_column(name, justify="right")
        before, after = ([getattr(p, f"num_{when}") for p in self.augmented] for when in ("before", "after"))
        table.add_row("tests, median", f"{statistics.median(before):g}", f"{statistics.median(after):g}")
        table.add_row("tests, sum", str(sum(before)), str(sum(after)))
        kills = self._kills()
        for name, total in (("mutants", kills["num_mutants"]), ("wrong programs", kills["num_wrong"])):
            key = name.partition(" ")[0]
            if total:
                row = (
                    f"{kills[f'{key}_killed_{when}']} ({kills[f'{key}_killed_{when}'] / total:.1%})"
                    for when in ("before", "after")
                )
                table.add_row(f"{name} killed, of {total}", *row)
        return table

    def _kills(self) -> dict[str, int]:
        return {
            "num_mutants": sum(p.num_mutants for p in self.problems),
            "mutants_killed_before": sum(p.killed_before for p in self.problems),
            "mutants_killed_after": sum(p.killed_after for p in self.problems),
            "num_wrong": sum(p.num_wrong for p in self.problems),
            "wrong_killed_before": sum(p.wrong_before for p in self.problems),
            "wrong_killed_after": sum(p.wrong_after for p in self.problems),
        }

    def _left_alone(self) -> dict[str, list[str]]:
        """Problems by the reason for which they are left alone, the most common first."""
        names = defaultdict(list)
        for problem in self.problems:
            if problem.left_alone:
                names[str(problem.left_alone)].append(problem.problem_id)
        return dict(sorted(names.items(), key=lambda item: -len(item[1])))

    def _summary(self) -> Iterator[str]:
        sources = Counter(name for problem in self.augmented for name in problem.test_sources if name != ORIGINAL)
        if sources:
            yield f"New tests by their source: {', '.join(f'{name} {count}' for name, count in sources.items())}."
        inputs, dropped = Counter[str](), Counter[str]()
        for problem in self.problems:
            inputs.update(problem.inputs)
            dropped.update(problem.dropped)
        if inputs:
            parts = ", ".join(f"{name} {count}" for name, count in dropped.items()) or "none"
            yield f"{sum(inputs.values())} inputs were tried. Dropped: {parts}."
        num_notes = sum(bool(problem.notes) for problem in self.problems)
        if num_notes:
            yield f"In {num_notes} problems a source of inputs reports a fault: see `notes` in the report."
        yield f"{len(self.problems)} problems in {self.seconds:.1f} s."


def _without_tests(problem: AugmentedProblem) -> dict[str, Any]:
    content = dataclasses.asdict(problem)
    del content["tests"]
    return {**content, "num_before": problem.num_before, "num_after": problem.num_after}


def write_report(report: AugmentationReport, path: Path) -> None:
    """
    Write the JSON report, whole or not at all.

    Args:
        report ([`AugmentationReport`]): The report.
        path (`Path`): File to write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, [json.dumps(report.to_dict(), indent=1), "\n"])


def write_dataset(problems: Dataset, results: Sequence[AugmentedProblem], path: Path) -> None:
    """
    Write the problems with their new tests.

    Args:
        problems ([`~datasets.Dataset`]): The dataset.
        results (`Sequence[AugmentedProblem]`): Result of each problem.
        path (`Path`): A `.jsonl` file, or a folder for `Dataset.load_from_disk`.
    """
    rows = (with_new_tests(row, result) for row, result in zip(problems, results, strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        write_whole(path, (json.dumps(row) + "\n" for row in rows))
    else:
        Dataset.from_list(list(rows)).save_to_disk(str(path))
