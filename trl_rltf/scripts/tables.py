"""Closing tables of the scripts, and the learning curve of a training run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.table import Table

from ..critic import CriticEvaluation
from ..execution import Outcome
from ..metrics import Estimate, Evaluation
from .training_results import report_if_possible, write_results


console = Console()
TRAINING_KS = (1, 5)


def banner(text: str) -> None:
    """Announce a stage."""
    console.print(Rule(text, align="left"))


def explain(text: str) -> None:
    """Tell in words what happens next, in lines that fit the terminal."""
    console.print(text, highlight=False, markup=False)


def report_training(
    before: Evaluation,
    after: Evaluation,
    history: Sequence[dict[str, Any]],
    folder: str | Path,
    *,
    start_name: str = "before",
) -> None:
    """
    Print the closing table of a training run, and write its report.

    The learning curve is drawn into a file, too.

    Args:
        before ([`~metrics.Evaluation`]): Evaluation before RL.
        after ([`~metrics.Evaluation`]): Evaluation of the same problems after RL.
        history (`Sequence[dict]`): Log history of the trainer.
        folder (`str` or `Path`): Folder of the model, for the picture, the results and the report.
        start_name (`str`, *optional*, defaults to `"before"`): Name of the column before RL, such as `"warm start"`.
    """
    table = Table(
        title=f"{len(before.counts)} held-out problems, {before.num_samples} samples each",
        caption="[]: 95 % bootstrap intervals over the problems; of the difference, paired.",
    )
    table.add_column("")
    for name in (start_name, "after RL", "difference, points"):
        table.add_column(name, justify="right")
    ks = [k for k in TRAINING_KS if k <= before.num_samples]
    for k in ks:
        gain = after.gain_over(before, k)
        cells = [
            f"{result.pass_at_k(k):.1%} [{low:.0%}, {high:.0%}]"
            for result in (before, after)
            for low, high in [result.interval(k)]
        ]
        difference = f"{100 * gain.value:+.1f} [{100 * gain.low:+.0f}, {100 * gain.high:+.0f}]"
        table.add_row(f"pass@{k}", *cells, difference)
    if before.num_trailing_errors or after.num_trailing_errors:
        for k in ks:
            start, end = (result.pass_at_k(k, whole_module=True) for result in (before, after))
            _add_shares(table, f"pass@{k}, whole module", start, end)
        _add_shares(table, "error in trailing code", before.trailing_error_share, after.trailing_error_share)
    _add_shares(table, "cut at the length limit", before.clipped_share, after.clipped_share)
    for outcome in reversed(Outcome):
        start, end = before.outcome_shares[outcome.name], after.outcome_shares[outcome.name]
        if outcome is not Outcome.NOT_GRADABLE or start or end:
            _add_shares(table, outcome.name, start, end)
    console.print(table)
    picture = Path(folder) / "learning_curve.png"
    if draw_curve(before, after, history, picture):
        console.print(f"Model: {folder}   Learning curve: {picture}")
    else:
        console.print(f"Model: {folder}   For a picture of the learning curve: pip install matplotlib")
    write_results(before, after, history, Path(folder), ks=ks)
    console.print(report_if_possible(folder), soft_wrap=True, highlight=False, markup=False)


def _add_shares(table: Table, name: str, start: float, end: float) -> None:
    table.add_row(name, f"{start:.1%}", f"{end:.1%}", f"{100 * (end - start):+.1f}")


def draw_curve(before: Evaluation, after: Evaluation, history: Sequence[dict[str, Any]], path: Path) -> bool:
    """
    Draw the learning curve of a training run.

    It has the outcome shares of the training samples over time, and held-out pass@1 as points where it was measured: before and after,
    with intervals, and in the evaluations of the training.

    Args:
        before ([`~metrics.Evaluation`]): Evaluation before RL.
        after ([`~metrics.Evaluation`]): Evaluation after RL.
        history (`Sequence[dict]`): Log history of the trainer.
        path (`Path`): File of the picture.

    Returns:
        `bool`: Whether it was drawn; not if matplotlib is missing.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        return False
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = [row for row in history if "outcome/pass" in row]
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for outcome in reversed(Outcome):
        key = f"outcome/{outcome.name.lower()}"
        values = [row.get(key, 0.0) for row in rows]
        if any(values):
            axes.plot([row["step"] for row in rows], values, label=f"{outcome.name} (training samples)")
    for name in sorted({name for row in history for name in row if re.fullmatch(r"eval_(?:.*_)?pass@1", name)}):
        measured = [(row["step"], row[name]) for row in history if name in row]
        prefix = name.removeprefix("eval_").removesuffix("pass@1").strip("_")
        axes.plot(
            *zip(*measured, strict=True),
            "kD",
            markersize=4,
            label=f"pass@1 ({prefix or 'held-out problems'}, while training)",
        )
    last = max((row["step"] for row in history if "step" in row), default=0)
    ends = [(before, 0), (after, last)]
    values = [evaluation.pass_at_k(1) for evaluation, _ in ends]
    intervals = [evaluation.interval(1) for evaluation, _ in ends]
    errors = [
        [value - low for value, (low, _) in zip(values, intervals, strict=True)],
        [high - value for value, (_, high) in zip(values, intervals, strict=True)],
    ]
    style: dict[str, Any] = {"fmt": "ko", "capsize": 3, "label": "pass@1 (held-out problems, before and after)"}
    axes.errorbar([step for _, step in ends], values, yerr=errors, **style)
    axes.set(xlabel="optimizer step", ylabel="share", ylim=(0, 1), title="Learning from unit tests")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return True


def evaluation_table(
    title: str,
    scores: Mapping[str, Mapping[str, Estimate]],
    published: Mapping[str, Mapping[str, float]],
) -> Table:
    """
    Make the table of an evaluation, with the published figures.

    Args:
        title (`str`): Title of the table.
        scores (`Mapping[str, Mapping[str, Estimate]]`): Estimates by group of problems and name of the figure.
        published (`Mapping[str, Mapping[str, float]]`): Published figures in percent, by name of the figure and group; may be
            empty.

    Returns:
        `rich.table.Table`: One row per figure.
    """
    caption = "Intervals: bootstrap over the problems."
    if published:
        caption += " Paper: CodeT5 770M with RLTF, all test problems."
    table = Table(title=title, caption=caption)
    for column in ("problems", "", "", "95 % interval", *(["paper"] if published else [])):
        table.add_column(column, justify="left" if column == "problems" else "right")
    for group, estimates in scores.items():
        for row, (name, estimate) in enumerate(estimates.items()):
            cells = ["" if row else group, name, f"{estimate.value:.1%}", f"[{estimate.low:.1%}, {estimate.high:.1%}]"]
            if published:
                figure = published.get(name, {}).get(group)
                cells.append("" if figure is None else f"{figure}%")
            table.add_row(*cells)
        table.add_section()
    return table


def critic_table(result: CriticEvaluation) -> Table:
    """
    Make the table of a critic: how often it names the outcome of a program.

    Args:
        result ([`~critic.CriticEvaluation`]): Evaluation of the critic on samples of held-out problems.

    Returns:
        `rich.table.Table`: One row per outcome.
    """
    num_samples = sum(result.counts.values())
    table = Table(title=f"{num_samples} samples of held-out problems")
    for name in ("outcome", "samples", "named right", "probability at its tokens"):
        table.add_column(name, justify="left" if name == "outcome" else "right")
    for label, count in result.counts.items():
        share = result.num_correct[label] / count
        table.add_row(label, str(count), f"{share:.1%}", f"{result.token_probability[label]:.2f}")
    table.add_section()
    table.add_row("all", str(num_samples), f"{result.accuracy:.1%}", "")
    table.add_row("always the most frequent one", "", f"{result.majority:.1%}", "")
    return table
