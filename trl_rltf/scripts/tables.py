"""The closing table of a training run and the picture of its learning curve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from rich.console import Console
from rich.rule import Rule
from rich.table import Table

from trl_rltf.execution import Outcome
from trl_rltf.metrics import PolicyEvaluation


console = Console()


def banner(text: str) -> None:
    """Announce a stage."""
    console.print(Rule(text, align="left"))


def report(before: PolicyEvaluation, after: PolicyEvaluation, history: Sequence[dict[str, Any]], folder: str) -> None:
    """Print the closing table and draw the learning curve."""
    table = Table(
        title=f"{len(before.num_correct)} held-out problems, {before.num_samples} samples each",
        caption="[]: 95 % bootstrap intervals over the problems; of the difference, paired.",
    )
    table.add_column("")
    for name in ("warm start", "after RL", "difference, points"):
        table.add_column(name, justify="right")
    for k in (1, 5):
        if k <= before.num_samples:
            gain = after.gain_over(before, k)
            cells = [
                f"{result.pass_at_k(k):.1%} [{low:.0%}, {high:.0%}]"
                for result in (before, after)
                for low, high in [result.interval(k)]
            ]
            difference = f"{100 * gain.value:+.1f} [{100 * gain.low:+.0f}, {100 * gain.high:+.0f}]"
            table.add_row(f"pass@{k}", *cells, difference)
    if before.trailing_error_share or after.trailing_error_share:
        for k in (1, 5):
            if k <= before.num_samples:
                start, end = (result.pass_at_k(k, whole_module=True) for result in (before, after))
                _add_shares(table, f"pass@{k}, whole module", start, end)
        _add_shares(table, "error after what the tests use", before.trailing_error_share, after.trailing_error_share)
    _add_shares(table, "cut at the length limit", before.clipped_share, after.clipped_share)
    for outcome in reversed(Outcome):
        start, end = before.outcome_shares[outcome.name], after.outcome_shares[outcome.name]
        if outcome is not Outcome.NOT_GRADABLE or start or end:
            _add_shares(table, outcome.name, start, end)
    console.print(table)
    picture = Path(folder) / "learning_curve.png"
    draw_curve(before, after, history, picture)
    console.print(f"Model: {folder}   Learning curve: {picture}")


def _add_shares(table: Table, name: str, start: float, end: float) -> None:
    table.add_row(name, f"{start:.1%}", f"{end:.1%}", f"{100 * (end - start):+.1f}")


def draw_curve(
    before: PolicyEvaluation, after: PolicyEvaluation, history: Sequence[dict[str, Any]], path: Path
) -> None:
    """Outcome shares of the training samples over time, and held-out pass@1 at both ends."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = [row for row in history if "outcome/pass" in row]
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for outcome in reversed(Outcome):
        key = f"outcome/{outcome.name.lower()}"
        values = [row[key] for row in rows]
        if any(values):
            axes.plot([row["step"] for row in rows], values, label=f"{outcome.name} (training samples)")
    if rows:
        axes.plot(
            [0, rows[-1]["step"]],
            [before.pass_at_k(1), after.pass_at_k(1)],
            "ko--",
            label="pass@1 (held-out problems)",
        )
    axes.set(xlabel="optimizer step", ylabel="share", ylim=(0, 1), title="Learning from unit tests")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
