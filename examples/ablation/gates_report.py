"""The figures of the gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trl_rltf.metrics import Estimate, Evaluation, bootstrap_interval


@dataclass(frozen=True)
class Figure:
    """
    One figure of the table.

    Args:
        name (`str`): What it says.
        value (`float`): Share, or difference of shares.
        low (`float`): Lower end of the interval.
        high (`float`): Upper end of the interval.
        number (`int`): Problems or programs that it is a mean of.
        is_difference (`bool`, *optional*, defaults to `False`): Whether it is a difference.
    """

    name: str
    value: float
    low: float
    high: float
    number: int
    is_difference: bool = False

    @property
    def cells(self) -> tuple[str, str, str]:
        """Cells of the table, in percent or in points."""
        sign = "+" if self.is_difference else ""
        unit = "" if self.is_difference else " %"
        low, value, high = (f"{100 * number:{sign}.1f}" for number in (self.low, self.value, self.high))
        return f"{value}{unit}", f"[{low}, {high}]", str(self.number)


def figures(first: Evaluation, has_correction: Sequence[bool], results: Mapping[str, Evaluation]) -> list[Figure]:
    """
    Compute the figures.

    Args:
        first ([`~metrics.Evaluation`]): Groups of samples.
        has_correction (`Sequence[bool]`): Whether each failed program has a correction.
        results (`Mapping[str, Evaluation]`): New samples for the failed programs, by kind of prompt: `fresh`, `feedback`,
            `placebo` and `repair`.
    """
    size, correct = first.num_samples, first.num_correct
    measured = [_share("pass@1", [number / size for number in correct])]
    failed = [size - number for number in correct]
    shares = {name: share for name, share in first.outcome_shares.items() if name != "PASS" and share}
    all_failed = sum(shares.values())
    for name, share in shares.items():
        ratio = share / all_failed
        measured.append(Figure(f"failures that are {name}", ratio, ratio, ratio, sum(failed)))
    measured += [
        _share("groups that all fail", [number == 0 for number in correct]),
        _share("groups with both", [0 < number < size for number in correct]),
        _share("groups that all pass", [number == size for number in correct]),
    ]
    if has_correction:
        measured.append(_share("failures with a correction that keeps their beginning", has_correction))
    if results:
        measured += [
            _share(f"pass@1, {name}", [n / r.num_samples for n in r.num_correct]) for name, r in results.items()
        ]
        for one, other in (("feedback", "fresh"), ("feedback", "placebo"), ("repair", "fresh")):
            gain: Estimate = results[one].gain_over(results[other], 1)
            measured.append(
                Figure(f"{one} - {other}", gain.value, gain.low, gain.high, len(results[one].counts), True)
            )
    return measured


def _share(name: str, values: Sequence[float]) -> Figure:
    return Figure(name, sum(values) / len(values), *bootstrap_interval(values), len(values))
