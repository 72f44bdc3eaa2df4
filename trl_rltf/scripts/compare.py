"""
Compare finished evaluations of the same problems, problem by problem.

    trl-rltf compare outputs/mbpp-before outputs/mbpp-after
    trl-rltf compare outputs/mbpp-before outputs/mbpp-after --k 1 10 --json

Each folder is one of `trl-rltf evaluate`. The page docs/evaluation.md describes the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

from ..metrics import Estimate, Evaluation, choose_ks
from ..metrics.finished_run import FinishedRun, read_run


_KS = (1, 5, 10, 80, 100, 1000)
_BAD_INPUT = 2
# They change no sample, or are the sizes that the table shows.
_NOT_SHOWN = ("version", "samples_per_shard", "verdicts_by", "num_samples", "filter_by_examples")
_DESCRIPTION = """Compare finished evaluations of the same problems: pass@k of each, the difference to the first one, paired problem \
by problem, and the outcomes. Exit status: 0, or 2 if the runs cannot be compared."""


def main(args: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """
    Compare the runs, and print tables or JSON.

    Args:
        args (`argparse.Namespace`): Arguments of [`make_parser`].
        parser (`argparse.ArgumentParser`): The parser, which ends the process with a message if the runs cannot be compared.

    Returns:
        `int`: 0.
    """
    try:
        first, *others = [read_run(folder) for folder in (args.folder, *args.others)]
        runs = [first, *(run.in_the_order_of(first) for run in others)]
        ks = choose_ks(args.k, min(run.evaluation.num_samples for run in runs), default=_KS)
        comparison = compare(runs, ks)
    except OSError as error:
        _fail(parser, f"{error.filename}: {error.strerror}." if error.filename is not None else str(error))
    except ValueError as error:
        _fail(parser, str(error))
    if args.json:
        sys.stdout.write(f"{json.dumps(comparison, indent=2)}\n")
    else:
        _show(comparison, Console())
    return 0


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """
    Make the parser of the command.

    Args:
        prog (`str`, *optional*): Name of the program in the help.

    Returns:
        `argparse.ArgumentParser`: The parser.
    """
    parser = argparse.ArgumentParser(prog=prog, description=_DESCRIPTION)
    parser.add_argument("folder", metavar="FOLDER", help="folder of the run that the others are compared with")
    parser.add_argument("others", metavar="OTHER", nargs="+", help="folder of another run of the same problems")
    parser.add_argument(
        "--k",
        type=int,
        nargs="+",
        help="the k of pass@k (default: 1, 5, 10, 80, 100 and 1000, up to the fewest samples of a run)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser


def compare(runs: Sequence[FinishedRun], ks: Sequence[int]) -> dict[str, Any]:
    """
    Compare runs whose problems are in the same order.

    Args:
        runs (`Sequence[FinishedRun]`): The runs; the others are compared with the first one.
        ks (`Sequence[int]`): The k of pass@k.

    Returns:
        `dict`: Number of problems, settings that differ, and the figures of each run; all shares are between 0 and 1.
    """
    names = _names([run.folder for run in runs])
    keys = dict.fromkeys(key for run in runs for key in run.settings if key not in _NOT_SHOWN)
    differing = {
        key: [run.settings.get(key) for run in runs]
        for key in keys
        if any(run.settings.get(key) != runs[0].settings.get(key) for run in runs)
    }
    return {
        "num_problems": len(runs[0].evaluation.counts),
        "differing_settings": differing,
        "runs": [
            {"name": name, "folder": str(run.folder), **_figures(run.evaluation, first, ks)}
            for name, run, first in zip(names, runs, [None, *[runs[0].evaluation] * (len(runs) - 1)], strict=True)
        ],
    }


def _figures(result: Evaluation, first: Evaluation | None, ks: Sequence[int]) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "num_samples": result.num_samples,
        "pass_at_k": {f"pass@{k}": asdict(Estimate(result.pass_at_k(k), *result.interval(k))) for k in ks},
        "outcome_shares": result.outcome_shares,
        "trailing_error_share": result.trailing_error_share,
        "num_clipped": result.num_clipped,
        "clipped_share": None if result.num_clipped is None else result.clipped_share,
        "num_clipped_syntax_errors": result.num_clipped_syntax_errors,
    }
    if first is not None:
        pairs = [
            (mine.num_correct / mine.num_samples, theirs.num_correct / theirs.num_samples)
            for mine, theirs in zip(result.counts, first.counts, strict=True)
        ]
        figures["difference"] = {f"pass@{k}": asdict(result.gain_over(first, k)) for k in ks}
        figures["num_better_problems"] = sum(mine > theirs for mine, theirs in pairs)
        figures["num_worse_problems"] = sum(mine < theirs for mine, theirs in pairs)
    return figures


def _names(folders: Sequence[Path]) -> list[str]:
    """Names of the folders, or their paths if two have the same name."""
    names = [folder.name for folder in folders]
    return names if len(set(names)) == len(names) and all(names) else [str(folder) for folder in folders]


def _show(comparison: dict[str, Any], console: Console) -> None:
    runs = comparison["runs"]
    table = Table(
        title=f"{comparison['num_problems']} problems",
        caption=f"[]: 95 % bootstrap intervals over the problems. Differences to {runs[0]['name']} in points, paired.",
    )
    table.add_column("run")
    for name in ("samples", *runs[0]["pass_at_k"]):
        table.add_column(name, justify="right")
    table.add_column("problems better, worse", justify="right")
    for run in runs:
        cells = [_percent(estimate) for estimate in run["pass_at_k"].values()]
        table.add_row(run["name"], str(run["num_samples"]), *cells, "")
        if "difference" in run:
            gains = [_points(estimate) for estimate in run["difference"].values()]
            table.add_row("  difference", "", *gains, f"{run['num_better_problems']}, {run['num_worse_problems']}")
    console.print(table)
    console.print(_outcome_table(runs))
    for key, values in comparison["differing_settings"].items():
        console.print(
            f"`{key}` differs: {', '.join(map(repr, values))}", soft_wrap=True, highlight=False, markup=False
        )


def _outcome_table(runs: Sequence[dict[str, Any]]) -> Table:
    table = Table(title="outcomes of the samples")
    table.add_column("run")
    found = [name for name in runs[0]["outcome_shares"] if any(run["outcome_shares"][name] for run in runs)]
    has_trailing = any(run["trailing_error_share"] for run in runs)
    for name in (*found, *(["error in trailing code"] if has_trailing else []), "cut at the length limit"):
        table.add_column(name, justify="right")
    for run in runs:
        shares = [f"{run['outcome_shares'][name]:.1%}" for name in found]
        if has_trailing:
            shares.append(f"{run['trailing_error_share']:.1%}")
        clipped = "" if run["clipped_share"] is None else f"{run['clipped_share']:.1%} ({run['num_clipped']})"
        table.add_row(run["name"], *shares, clipped)
    return table


def _percent(estimate: dict[str, float]) -> str:
    return f"{estimate['value']:.1%} \\[{estimate['low']:.1%}, {estimate['high']:.1%}]"


def _points(estimate: dict[str, float]) -> str:
    value, low, high = (100 * estimate[name] for name in ("value", "low", "high"))
    return f"{value:+.1f} \\[{low:+.1f}, {high:+.1f}]"


def _fail(parser: argparse.ArgumentParser, message: str) -> NoReturn:
    parser.exit(_BAD_INPUT, f"{parser.prog}: {message}\n")
