"""Weight the tests of a problem by how few programs of the group pass them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal, get_args

from ..execution import ExecutionReport, Outcome, Verdict


TestWeights = Literal["uniform", "rarity"]


def check_test_weights(test_weights: object, adaptive_weight: float) -> None:
    """
    Check the argument `test_weights`.

    Args:
        test_weights (`object`): Its value.
        adaptive_weight (`float`): Factor of the reward that the weights are a part of.

    Raises:
        ValueError: If it is not one of the choices, or the weights would have no effect.
    """
    if test_weights not in get_args(TestWeights):
        choices = " or ".join(map(repr, get_args(TestWeights)))
        raise ValueError(f"`test_weights` is {test_weights!r}, but must be {choices}.")
    if test_weights != "uniform" and adaptive_weight == 0:
        raise ValueError(
            f"`test_weights={test_weights!r}` weights the tests of the adaptive reward, but `adaptive_weight` is 0. Raise it, or use "
            "'uniform'."
        )


def rarity_shares(groups: Sequence[Hashable], reports: Sequence[ExecutionReport]) -> list[float]:
    """
    Compute the share of tests passed, with more weight on tests that few pass.

    Test j has the weight `w_j = 1 / max(1, n_j)`, where n_j is the number of programs of the group that pass it, and a program has
    the share `Σ_j w_j [passed] / Σ_j w_j`. Without the denominator this is the implicit fitness sharing of genetic programming:
    each test has a reward of 1, which the programs that pass it divide among them.

    Args:
        groups (`Sequence[Hashable]`): Group of each program; the programs of a group have the same tests.
        reports (`Sequence[ExecutionReport]`): Report on each program.

    Returns:
        `list[float]`: Weighted share of each program, from 0 to 1; 1 if and only if it passes all tests.
    """
    num_passed: dict[Hashable, list[int]] = {}
    for group, report in zip(groups, reports, strict=True):
        if report.outcome is Outcome.NOT_GRADABLE:
            continue
        counts = num_passed.setdefault(group, [0] * report.num_tests)
        for test, verdict in enumerate(report.verdicts):
            counts[test] += verdict is Verdict.PASSED
    shares = []
    for group, report in zip(groups, reports, strict=True):
        weights = [1 / max(1, count) for count in num_passed.get(group, [])]
        if report.outcome is Outcome.NOT_GRADABLE or not weights:
            shares.append(0.0)
            continue
        passed = [
            weight for weight, verdict in zip(weights, report.verdicts, strict=True) if verdict is Verdict.PASSED
        ]
        shares.append(sum(passed) / sum(weights) if len(passed) < len(weights) else 1.0)
    return shares
