"""Write the results of a training for its report, and the report itself."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..execution import Outcome
from ..metrics import Evaluation
from ..metrics.shards import write_whole
from ..report.run_folder import RESULTS


_PACKAGES = ("jinja2", "matplotlib", "pygments")


def write_results(
    before: Evaluation, after: Evaluation, history: Sequence[Mapping[str, Any]], folder: Path, *, ks: Sequence[int]
) -> None:
    """
    Write the results of a training to `training_results.json`, for its report.

    Args:
        before ([`~metrics.Evaluation`]): Evaluation before RL.
        after ([`~metrics.Evaluation`]): Evaluation of the same problems after RL.
        history (`Sequence[Mapping]`): Log history of the trainer.
        folder (`Path`): Folder of the model.
        ks (`Sequence[int]`): The k of pass@k.
    """
    rows: list[dict[str, Any]] = []
    for k in ks:
        ends = {
            name: {"value": result.pass_at_k(k), **dict(zip(("low", "high"), result.interval(k), strict=True))}
            for name, result in (("before", before), ("after", after))
        }
        rows.append({"name": f"pass@{k}", **ends, "difference": asdict(after.gain_over(before, k))})
    shares = {outcome.name: (before.outcome_shares, after.outcome_shares) for outcome in reversed(Outcome)}
    others = {name: (start[name], end[name]) for name, (start, end) in shares.items() if start[name] or end[name]}
    if before.num_clipped is not None or after.num_clipped is not None:
        others["cut at the length limit"] = (before.clipped_share, after.clipped_share)
    for name, (start, end) in others.items():
        rows.append(
            {"name": name, "before": {"value": start}, "after": {"value": end}, "difference": {"value": end - start}}
        )
    results = {
        "version": 1,
        "num_problems": len(before.counts),
        "num_samples": before.num_samples,
        "rows": rows,
        "history": list(history),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / RESULTS, [json.dumps(results), "\n"])


def missing_packages() -> list[str]:
    """Names of the packages of a report that are not installed."""
    return [name for name in _PACKAGES if importlib.util.find_spec(name) is None]


def report_if_possible(folder: str | Path) -> str:
    """
    Write the report of a training that has ended.

    Args:
        folder (`str` or `Path`): Folder of the run.

    Returns:
        `str`: A line that says where the report is, or what it lacks.
    """
    if missing_packages():
        return 'For a report with completions to read: pip install "trl-rltf[report]"'
    from ..report import write_report  # only here: its packages are optional

    try:
        return f"Report: {write_report(folder)}"
    except (OSError, ValueError) as error:
        return f"There is no report: {error}"


def save_and_report(trainer: Any) -> None:
    """
    Save the model of a training that has ended, and write its report.

    The path of the report is printed.

    Args:
        trainer ([`~transformers.Trainer`]): The trainer.
    """
    trainer.save_model(trainer.args.output_dir)
    trainer.save_state()
    if trainer.accelerator.is_main_process:
        sys.stdout.write(f"{report_if_possible(trainer.args.output_dir)}\n")
