"""Draw the curves of a run, as SVG in the colours of the page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ..execution import Outcome
from .run_folder import Run


# Colours of the drawing, each of which stands for a variable of the style sheet, so that light and dark differ.
_INK, _MUTED, _GRID, _LINE, _SECOND, _PAPER = "#000001", "#000002", "#000003", "#000004", "#000005", "#000006"
_OUTCOMES = {outcome: f"#0000{index:02x}" for index, outcome in enumerate(reversed(Outcome), start=16)}
_VARIABLES = {
    _INK: "--ink",
    _MUTED: "--muted",
    _GRID: "--grid",
    _LINE: "--line",
    _SECOND: "--second",
    _PAPER: "--paper",
    **{colour: f"--{outcome.name.lower().replace('_', '-')}" for outcome, colour in _OUTCOMES.items()},
}
_SETTINGS: Any = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "trl-rltf",  # the same run gives the same file
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _MUTED,
    "axes.edgecolor": _GRID,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "legend.labelcolor": _INK,
}
Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Curve:
    """
    A drawn curve.

    Args:
        title (`str`): Its title.
        svg (`str`): The drawing, an element `svg`.
        description (`str`): What it shows, in a sentence for people who do not see it.
    """

    title: str
    svg: str
    description: str


def draw_curves(run: Run) -> list[Curve]:
    """
    Draw the curves for which a run has numbers.

    Args:
        run ([`Run`]): What the run has written.

    Returns:
        `list[Curve]`: The curves, in the order of the page.
    """
    history = run.history
    drawn = [
        _reward(history),
        _pass_at_1(history, run.results),
        _outcome_shares(history),
        _lines(
            "Age of the samples in the buffer, optimizer steps",
            history,
            {"buffer/age": "queue", "buffer/drawn_age": "drawn"},
        ),
        *_losses(history),
        _lines("Length of the completions, tokens", history, {"completions/mean_length": "mean"}),
        _pass_at_k(run.summary),
    ]
    return [curve for curve in drawn if curve is not None]


def points_of(history: Sequence[Mapping[str, Any]], name: str) -> Points:
    """
    Find the values of a metric.

    Args:
        history (`Sequence[Mapping]`): Log history of a trainer.
        name (`str`): Name of the metric.

    Returns:
        `list[tuple[float, float]]`: Optimizer step and value of each log that has a finite value.
    """
    found = [(row.get("step"), row.get(name)) for row in history]
    return [(step, float(value)) for step, value in found if _is_number(step) and _is_number(value)]


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and abs(value) < float("inf")


def _reward(history: Sequence[Mapping[str, Any]]) -> Curve | None:
    points = points_of(history, "reward")
    if not points:
        return None
    deviations = dict(points_of(history, "reward_std"))

    def draw(axes: Axes) -> None:
        steps, means = zip(*points, strict=True)
        low, high = ([mean + sign * deviations.get(step, 0) for step, mean in points] for sign in (-1, 1))
        if deviations:
            axes.fill_between(
                steps, low, high, color=_LINE, alpha=0.18, linewidth=0, label="± standard deviation in a group"
            )
        axes.plot(steps, means, color=_LINE, label="mean", **_marker(points))

    return _curve("Reward of the training samples", draw, {"reward": points})


def _pass_at_1(history: Sequence[Mapping[str, Any]], results: Mapping[str, Any] | None) -> Curve | None:
    training = points_of(history, "outcome/pass")
    names = {name for row in history for name in row if name.startswith("eval_") and name.endswith("pass@1")}
    evaluated = {name.removesuffix("pass@1").strip("_"): points_of(history, name) for name in sorted(names)}
    if not training and not any(evaluated.values()) and not results:
        return None
    last = max((step for step, _ in training), default=1)
    ends = _results_of(results, "pass@1")

    def draw(axes: Axes) -> None:
        if training:
            axes.plot(
                *zip(*training, strict=True),
                color=_MUTED,
                linewidth=1,
                label="training samples",
                **_marker(training),
            )
        for name, points in evaluated.items():
            label = "pass@1, evaluated" if name == "eval" else f"pass@1, {name.removeprefix('eval_')}"
            if points:
                axes.plot(*zip(*points, strict=True), "D", color=_SECOND, markersize=4, label=label)
        if ends:
            values = [end["value"] for end in ends]
            low, high = ([abs(end[side] - end["value"]) for end in ends] for side in ("low", "high"))
            style: dict[str, Any] = {"fmt": "o", "color": _LINE, "markersize": 5, "capsize": 3, "elinewidth": 1.2}
            axes.errorbar([0, last], values, yerr=[low, high], label="pass@1, before and after", **style)
        axes.set_ylim(0, None)
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))

    described = {
        "pass share of the training samples": training,
        "held-out pass@1": [(at, end["value"]) for at, end in zip((0, last), ends, strict=False)],
    }
    described |= {f"pass@1 {name}": points for name, points in evaluated.items()}
    return _curve("Programs that pass all tests", draw, described)


def _results_of(results: Mapping[str, Any] | None, name: str) -> list[Mapping[str, float]]:
    rows = [row for row in (results or {}).get("rows", []) if row["name"] == name and "low" in row["before"]]
    return [rows[0]["before"], rows[0]["after"]] if rows else []


def _outcome_shares(history: Sequence[Mapping[str, Any]]) -> Curve | None:
    shares = {outcome: points_of(history, f"outcome/{outcome.name.lower()}") for outcome in _OUTCOMES}
    steps = sorted({step for points in shares.values() for step, _ in points})
    shares = {outcome: points for outcome, points in shares.items() if any(value for _, value in points)}
    if not shares or len(steps) < 2:
        return None

    def draw(axes: Axes) -> None:
        layers = [[dict(points).get(step, 0.0) for step in steps] for points in shares.values()]
        colours = [_OUTCOMES[outcome] for outcome in shares]
        labels = [outcome.name for outcome in shares]
        axes.stackplot(steps, layers, colors=colours, labels=labels, edgecolor=_PAPER, linewidth=0.6)
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))

    return _curve("Outcomes of the training samples", draw, {o.name: points for o, points in shares.items()})


def _losses(history: Sequence[Mapping[str, Any]]) -> list[Curve | None]:
    if not points_of(history, "loss/ce"):
        return [_lines("Loss", history, {"loss": "loss"})]
    return [
        _lines("Loss of the advantages", history, {"loss/rl": "loss/rl"}),
        _lines("Cross entropy of the solutions, nats per token", history, {"loss/ce": "loss/ce"}),
    ]


def _lines(title: str, history: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> Curve | None:
    found = {label: points for name, label in names.items() if (points := points_of(history, name))}
    if not found:
        return None

    def draw(axes: Axes) -> None:
        for (label, points), colour in zip(found.items(), (_LINE, _SECOND), strict=False):
            axes.plot(
                *zip(*points, strict=True), color=colour, label=label if len(found) > 1 else None, **_marker(points)
            )

    return _curve(title, draw, found)


def _pass_at_k(summary: Mapping[str, Any] | None) -> Curve | None:
    scores = (summary or {}).get("scores", {}).get("all", {})
    found = {int(match[1]): score for name, score in scores.items() if (match := re.fullmatch(r"pass@(\d+)", name))}
    if len(found) < 2:
        return None
    points: Points = [(k, score["value"]) for k, score in sorted(found.items())]

    def draw(axes: Axes) -> None:
        low, high = ([abs(found[int(k)][side] - value) for k, value in points] for side in ("low", "high"))
        ks, values = zip(*points, strict=True)
        axes.errorbar(ks, values, yerr=[low, high], fmt="o", color=_LINE, markersize=5, capsize=3, elinewidth=1.2)
        axes.set_xscale("log")
        axes.set_xticks(ks, [f"{k:.0f}" for k in ks])
        axes.minorticks_off()
        axes.set_ylim(0, None)
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))

    return _curve("pass@k with 95 % intervals over the problems", draw, {"pass@k": points}, x_label="k")


def _marker(points: Points) -> dict[str, Any]:
    return {"marker": "o", "markersize": 3} if len(points) < 3 else {}


def _curve(
    title: str, draw: Callable[[Axes], None], series: Mapping[str, Points], x_label: str = "optimizer step"
) -> Curve:
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(5.2, 2.9), layout="constrained")
        figure.patch.set_visible(False)
        axes = figure.subplots()
        axes.patch.set_visible(False)
        draw(axes)
        axes.set_xlabel(x_label)
        if x_label == "optimizer step":
            last = max(at for points in series.values() for at, _ in points) or 1
            axes.set_xlim(-0.02 * last, 1.02 * last)
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
        axes.tick_params(length=0)
        if axes.get_legend_handles_labels()[1]:
            axes.legend(
                loc="lower left",
                bbox_to_anchor=(-0.01, 1.0),
                ncols=2,
                borderpad=0,
                borderaxespad=0.3,
                handlelength=1.4,
            )
        output = io.StringIO()
        figure.savefig(output, format="svg")
    parts = [
        f"{name} from {points[0][1]:.3g} at {points[0][0]:g} to {points[-1][1]:.3g} at {points[-1][0]:g}"
        for name, points in series.items()
        if points
    ]
    return Curve(title, _inlined(output.getvalue(), title), "; ".join(parts))


def _inlined(svg: str, title: str) -> str:
    """Make an SVG file part of a page: its colours, no styles, unique ids."""
    root = ElementTree.fromstring(svg)
    prefix = re.sub(r"\W+", "-", title.lower())
    used = set(re.findall(r"#([\w-]+)", svg))
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        attributes = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
        style = attributes.pop("style", "")
        # A policy that allows no inline styles allows attributes of the same meaning.
        pairs = (part.partition(":")[::2] for part in style.split(";") if ":" in part)
        attributes |= {name.strip(): value.strip() for name, value in pairs if name.strip() != "font"}
        if attributes.get("id", "") not in used:
            attributes.pop("id", None)
        else:
            attributes["id"] = f"{prefix}-{attributes['id']}"
        element.attrib.clear()
        for name, value in attributes.items():
            value = re.sub(r"(?<=#)[\w-]+(?=\))", lambda match: f"{prefix}-{match[0]}", value)
            value = f"#{prefix}-{value[1:]}" if name == "href" else value
            element.set(name, f"var({_VARIABLES[value]})" if value in _VARIABLES else value)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("aria-hidden", "true")  # the figure has a description
    return ElementTree.tostring(root, encoding="unicode")
