"""
Compare the findings of static analysis with the outcomes of graded samples.

    python examples/analyser_evidence.py --runs outputs/mbpp outputs/humaneval --dataset_names none HumanEval.jsonl.gz

Each run is a folder of `trl-rltf evaluate`, finished or not. Two tables per run: the share of samples with a finding, by outcome, and
for each rule how often a sample with such a finding fails. Intervals are 95 % percentile bootstrap intervals over problems.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from transformers import HfArgumentParser

from trl_rltf.analysis import DEFAULT_RULES, RuffAnalyser
from trl_rltf.analysis.placed_program import PlacedProgram
from trl_rltf.analysis.rules import INVALID_SYNTAX, UNREADABLE
from trl_rltf.data import load_benchmark
from trl_rltf.execution import Outcome


# Rules that say little about right and wrong, to see that they do.
OTHER_RULES = ("F401", "F405", "B007", "B905", "E711", "E712", "E721", "E731", "E741", "PLW2901", "RUF059", "C901")
_NUM_RESAMPLES, _SEED = 2000, 0
_MIN_PROBLEMS = 5  # for an interval
_BATCH = 500


@dataclass
class EvidenceArguments:
    """Arguments of the measurement."""

    runs: list[str] = field(metadata={"help": "Folders of `trl-rltf evaluate`."})
    dataset_names: list[str] | None = field(
        default=None,
        metadata={
            "help": "File of the problems of each run, for their starter code; `none` for a run without starter code."
        },
    )
    rules: list[str] | None = field(
        default=None, metadata={"help": "Codes of ruff's rules. Defaults to the default set and a few others."}
    )


@dataclass(frozen=True, slots=True)
class Sample:
    """
    A graded sample and its findings.

    Args:
        problem (`str`): Identifier of its problem.
        outcome (`str`): Name of its outcome.
        rules (`frozenset[str]`): Rules of its findings.
        has_trailing_error (`bool`, *optional*, defaults to `False`): Whether code that the tests do not use has an error.
    """

    problem: str
    outcome: str
    rules: frozenset[str]
    has_trailing_error: bool = False

    @property
    def fails(self) -> bool:
        """Whether it does not pass all tests."""
        return self.outcome != Outcome.PASS.name

    @property
    def compiles(self) -> bool:
        """Whether the analyser could read it."""
        return not self.rules & {INVALID_SYNTAX, UNREADABLE}


def main(args: EvidenceArguments, console: Console) -> None:
    """Print the tables of each run."""
    names = args.dataset_names or ["none"] * len(args.runs)
    if len(names) != len(args.runs):
        raise SystemExit(
            f"There are {len(args.runs)} `runs` and {len(names)} `dataset_names`. Give one for each run, or `none`."
        )
    rules = args.rules or [*DEFAULT_RULES, *OTHER_RULES]
    analyser = RuffAnalyser(rules)
    for folder, dataset_name in zip(map(Path, args.runs), names, strict=True):
        samples = read_samples(folder, None if dataset_name == "none" else dataset_name, analyser)
        if not samples:
            raise SystemExit(f"{str(folder)!r} has no graded samples. Wait for the first shard of the run.")
        console.print(f"\n{folder.name}: {len(samples)} samples of {len({s.problem for s in samples})} problems")
        console.print(outcome_table(samples))
        console.print(rule_table(samples, rules))


def read_samples(folder: Path, dataset_name: str | None, analyser: RuffAnalyser) -> list[Sample]:
    """
    Read the samples of a run, and analyse their programs.

    Args:
        folder (`Path`): Folder of the run.
        dataset_name (`str` or `None`): File of the problems, for their starter code.
        analyser ([`RuffAnalyser`]): The analyser.

    Returns:
        `list[Sample]`: The samples that were graded, and analysed in time.
    """
    rows = [row for row in _rows(folder) if row["outcome"] != Outcome.NOT_GRADABLE.name]
    starters = {} if dataset_name is None else _starter_codes(folder, dataset_name)
    samples = []
    for start in range(0, len(rows), _BATCH):
        part = rows[start : start + _BATCH]
        programs = [PlacedProgram.of(row["completion"], starters.get(str(row["problem_id"]))) for row in part]
        analysed = analyser([program.code for program in programs])
        for row, program, found in zip(part, programs, analysed, strict=True):
            if found is not None:
                own = {finding.rule for finding in found if program.in_program(finding) is not None}
                trailing = row["trailing_error_type"] is not None
                samples.append(Sample(str(row["problem_id"]), row["outcome"], frozenset(own), trailing))
    return samples


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    whole = folder / "samples.jsonl"
    for path in [whole] if whole.exists() else sorted((folder / "shards").glob("[0-9]*.jsonl")):
        with open(path, encoding="utf-8") as file:
            yield from map(json.loads, file)


def _starter_codes(folder: Path, dataset_name: str) -> dict[str, str]:
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    problems = load_benchmark(settings["benchmark"], dataset_name, settings["dataset_test_split"])
    return {str(row["problem_id"]): row["starter_code"] or "" for row in problems}


def outcome_table(samples: list[Sample]) -> Table:
    """Make the table of the share of samples with a finding of a default rule, by outcome."""
    columns = "outcome", "samples", "with a finding", "of these, invalid syntax", "error in trailing code"
    table = Table(*columns, box=box.MARKDOWN)
    for name in [*(outcome.name for outcome in reversed(Outcome)), "all"]:
        part = [sample for sample in samples if name in (sample.outcome, "all")]
        if part:
            found = [sample for sample in part if _has_finding(sample)]
            invalid, trailing = (sum(not s.compiles for s in found), sum(s.has_trailing_error for s in found))
            table.add_row(name, str(len(part)), _share(part, _has_finding), str(invalid), str(trailing))
    return table


def rule_table(samples: list[Sample], rules: Iterable[str]) -> Table:
    """Make the table of how often samples with a finding fail, by rule."""
    readable = [sample for sample in samples if sample.compiles]
    table = Table(
        "rule", "default", "samples", "problems", "P(fails | finding)", "minus P(fails | compiles)", box=box.MARKDOWN
    )
    table.add_row("(all samples)", "", *_figures(samples, None))
    table.add_row("(samples that compile)", "", *_figures(readable, None))
    for name, has_rule in (
        ("any default rule, compiles", lambda sample: sample.compiles and _has_finding(sample)),
        (INVALID_SYNTAX, lambda sample: not sample.compiles),
    ):
        table.add_row(name, "yes", *_figures([s for s in samples if has_rule(s)], readable))
    by_rule = {rule: [sample for sample in readable if rule in sample.rules] for rule in rules}
    for rule, part in sorted(by_rule.items(), key=lambda item: -len(item[1])):
        if part:
            table.add_row(rule, "yes" if rule in DEFAULT_RULES else "no", *_figures(part, readable))
    missing = sum(not part for part in by_rule.values())
    table.caption = f"{missing} rules have no finding."
    return table


def _has_finding(sample: Sample) -> bool:
    return not sample.compiles or not sample.rules.isdisjoint(DEFAULT_RULES)


def _figures(part: list[Sample], base: list[Sample] | None) -> tuple[str, str, str, str]:
    problems = len({sample.problem for sample in part})
    failing = _share(part, lambda sample: sample.fails)
    return str(len(part)), str(problems), failing, "" if base is None else _difference(part, base)


def _share(part: list[Sample], has: Callable[[Sample], bool]) -> str:
    """Describe the share of samples with a property, with its interval over problems."""
    if not part:
        return "-"
    value = sum(map(has, part)) / len(part)
    (shares,) = _resampled([part], has)
    return f"{value:.1%}{_interval(shares, part)}"


def _difference(part: list[Sample], base: list[Sample]) -> str:
    """Describe by how much samples of a part fail more often than all of them."""
    if not part or not base:
        return "-"
    value = sum(s.fails for s in part) / len(part) - sum(s.fails for s in base) / len(base)
    of_part, of_base = _resampled([part, base], lambda sample: sample.fails)
    return f"{100 * value:+.1f}{_interval(of_part - of_base, part, signed=True)}"


def _resampled(parts: list[list[Sample]], has: Callable[[Sample], bool]) -> list[np.ndarray]:
    """Compute the share of samples with a property, in each part, for problems drawn with replacement."""
    counts: dict[str, Counter[tuple[int, bool]]] = defaultdict(Counter)
    for index, part in enumerate(parts):
        for sample in part:
            counts[sample.problem][index, bool(has(sample))] += 1
    rows = np.array(
        [[(c[i, True], c[i, True] + c[i, False]) for i in range(len(parts))] for c in counts.values()], dtype=float
    )
    draws = np.random.default_rng(_SEED).multinomial(len(rows), np.full(len(rows), 1 / len(rows)), _NUM_RESAMPLES)
    sums = np.einsum("rp,pik->irk", draws, rows)  # part, resample, (with the property, all)
    has_all = (sums[..., 1] > 0).all(axis=0)  # a resample may lack all samples of a rare rule
    return [sums[index, has_all, 0] / sums[index, has_all, 1] for index in range(len(parts))]


def _interval(values: np.ndarray, part: list[Sample], *, signed: bool = False) -> str:
    if len({sample.problem for sample in part}) < _MIN_PROBLEMS:
        return ""
    low, high = 100 * np.quantile(values, [0.025, 0.975])
    return f" [{low:+.1f}, {high:+.1f}]" if signed else f" [{low:.1f}, {high:.1f}]"


def run_command() -> None:
    """Read the command line, and print the tables."""
    (args,) = HfArgumentParser(EvidenceArguments, description=__doc__.split("\n\n")[0]).parse_args_into_dataclasses()
    main(args, Console(width=140))
