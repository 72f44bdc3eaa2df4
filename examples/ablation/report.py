"""The tables and plots of the ablation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from rich.table import Table

from trl_rltf.metrics import Estimate, bootstrap_interval
from trl_rltf.scripts.tables import console

from .arms import ARMS, Comparison
from .results import OUTCOMES, Curve, budget_ratio, curve, difference, late_difference, mean_difference


HEADERS = ("arm", "pass@1", "at the end", "last three", "while training", "share of samples", "share of steps")
SHARES = ("FAILURE", "RUNTIME_ERROR", "SYNTAX_ERROR")


def report(
    rows: Sequence[dict[str, Any]],
    name: str,
    comparison: Comparison,
    architecture: str,
    seeds: Sequence[int],
    folder: Path,
) -> None:
    """Print a table of arms, write it as Markdown, and draw the learning curves and the outcomes."""
    curves = {arm: curve(rows, arm, architecture, seeds) for arm in comparison.all_arms}
    found = {arm: points for arm, points in curves.items() if points is not None}
    if comparison.reference not in found:
        return
    lines = _lines(found, comparison)
    seeds_text = f"{len(seeds)} seeds" if len(seeds) > 1 else "1 seed"
    title = f"{comparison.title}: {architecture}, {seeds_text}"
    caption = (
        f"At the end: difference to {comparison.reference} in points, paired. Last three: the same, of the mean over the last three "
        "evaluations. While training: of the mean over all evaluations. Share of samples: samples needed to reach the final pass@1 of "
        f"{comparison.reference}, divided by all samples of {comparison.reference}; the same for steps. []: 95 % bootstrap "
        "intervals."
    )
    table = Table(title=title, caption=caption)
    for header in HEADERS:
        table.add_column(header, justify="left" if header == "arm" else "right")
    for line in lines:
        table.add_row(*line[: len(HEADERS)])
    console.print(table)
    headers = [*HEADERS, *SHARES]
    markdown = [headers, ["---"] + ["---:"] * (len(headers) - 1), *lines]
    text = "\n".join(f"| {' | '.join(line)} |" for line in markdown)
    (folder / f"{name}-{architecture}.md").write_text(f"{title}\n\n{text}\n\n{caption}\n")
    _draw_curves(found, title, folder / f"{name}-{architecture}.png")
    _draw_outcomes(found, title, folder / f"{name}-{architecture}-outcomes.png")


def _lines(curves: dict[str, Curve], comparison: Comparison) -> list[list[str]]:
    reference = curves[comparison.reference]
    lines = [["warm start", _mean(reference.pass_at_1[:, 0]), "", "", "", "", "", *_shares(reference, 0)]]
    for name, points in curves.items():
        cells = [""] * 5
        if name != comparison.reference:
            cells = [_points(measure(points, reference)) for measure in (difference, late_difference, mean_difference)]
            cells += [_ratio(budget_ratio(points, reference, unit)) for unit in ("train_samples", "steps")]
        lines.append([name, _mean(points.pass_at_1[:, -1]), *cells, *_shares(points, -1)])
    return lines


def _shares(points: Curve, index: int) -> list[str]:
    return [f"{points.outcomes[outcome][index]:.1%}" for outcome in SHARES]


def _points(gain: Estimate) -> str:
    return f"{100 * gain.value:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"


def _ratio(ratio: Estimate) -> str:
    interval = f" [{_number(ratio.low)}, {_number(ratio.high)}]" if np.isfinite(ratio.value) else ""
    return _number(ratio.value) + interval


def _number(ratio: float) -> str:
    if np.isnan(ratio):
        return "-"
    return f"{ratio:.2f}" if np.isfinite(ratio) else "never"


def _mean(values: np.ndarray) -> str:
    return f"{values.mean():.1%} ({values.min():.0%} to {values.max():.0%})" if len(values) > 1 else f"{values[0]:.1%}"


def _draw_curves(curves: dict[str, Curve], title: str, path: Path) -> None:
    """Draw held-out pass@1 over samples: means over seeds, with 95 % bootstrap bands."""
    plt = _pyplot()
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for name, points in curves.items():
        bands = np.array([bootstrap_interval(values) for values in points.pass_at_1.T])
        (line,) = axes.plot(points.train_samples, points.pass_at_1.mean(0), marker=".", label=name)
        axes.fill_between(points.train_samples, bands[:, 0], bands[:, 1], alpha=0.15, color=line.get_color())
    axes.set(xlabel="samples used", ylabel="held-out pass@1", title=title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _draw_outcomes(curves: dict[str, Curve], title: str, path: Path) -> None:
    """Draw the shares of the outcomes of held-out samples over time, one panel per arm."""
    plt = _pyplot()
    columns = min(4, len(curves))
    num_rows = -(-len(curves) // columns)
    figure, panels = plt.subplots(
        num_rows, columns, figsize=(3 * columns, 2.4 * num_rows), sharex=True, sharey=True, layout="constrained"
    )
    flat = np.atleast_1d(panels).flatten()
    for panel in flat[len(curves) :]:
        panel.set_visible(False)
    for panel, (name, points) in zip(flat, curves.items(), strict=False):
        panel.stackplot(points.train_samples, [points.outcomes[o] for o in OUTCOMES[:4]], labels=OUTCOMES[:4])
        panel.set_title(name, fontsize="small")
        panel.set(ylim=(0, 1), xlim=(0, points.train_samples[-1]))
    flat[0].legend(fontsize="x-small", loc="lower right")
    figure.suptitle(title)
    figure.supxlabel("samples used", fontsize="small")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _pyplot() -> Any:
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    return plt


def legend(names: Sequence[str]) -> None:
    """Print the name and the summary of each arm."""
    for name in names:
        console.print(f"  [bold]{name}[/bold]: {ARMS[name].summary}", highlight=False)
