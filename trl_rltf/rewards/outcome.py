"""Reward the outcome of a program: coarse by its class, adaptive by tests passed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..execution import ExecutionReport, Outcome


# With these, the coarse plus the adaptive reward is the share of tests passed.
COARSE_REWARDS: Mapping[Outcome, float] = {
    Outcome.PASS: 1.0,
    Outcome.FAILURE: 0.0,
    Outcome.RUNTIME_ERROR: 0.0,
    Outcome.SYNTAX_ERROR: 0.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeReward:
    """
    Reward a whole program with `R_coarse + R_adaptive`.

    Both terms are from section 3.3 of arXiv 2307.04349.

    Args:
        coarse_weight (`float`, *optional*, defaults to `1.0`):
            Factor of the reward of the outcome class. `0` disables it, also for `PASS`.
        adaptive_weight (`float`, *optional*, defaults to `1.0`):
            Factor of the adaptive reward, which rises with the share of tests passed from the reward of `FAILURE` to that of
            `PASS`. `0` disables it.
        adaptive_runtime_errors (`bool`, *optional*, defaults to `True`):
            Also count the tests passed by programs that raise in some of them. Not in the paper.
        coarse_rewards (`Mapping[Outcome, float]`, *optional*):
            Reward of each outcome class. Defaults to 1 for `PASS` and 0 for the others.

    Raises:
        ValueError: If a weight is not a number or is negative, or an outcome has no reward.
    """

    coarse_weight: float = 1.0
    adaptive_weight: float = 1.0
    adaptive_runtime_errors: bool = True
    coarse_rewards: Mapping[Outcome, float] = field(default_factory=lambda: dict(COARSE_REWARDS))

    def __post_init__(self) -> None:
        check_weight("coarse_weight", self.coarse_weight)
        check_weight("adaptive_weight", self.adaptive_weight)
        missing = [outcome.name for outcome in COARSE_REWARDS if outcome not in self.coarse_rewards]
        if missing:
            raise ValueError(
                f"`coarse_rewards` has no reward for {', '.join(missing)}. Its keys are members of `Outcome`."
            )

    def __call__(self, report: ExecutionReport, share: float | None = None) -> float:
        """
        Reward one program.

        Args:
            report ([`~execution.ExecutionReport`]): Report on a program that could be graded.
            share (`float`, *optional*): Share of tests passed, where tests have weights. Defaults to that of the report.

        Returns:
            `float`: Coarse plus adaptive reward.
        """
        reward = self.coarse_weight * self.coarse_rewards[report.outcome]
        counted = {Outcome.FAILURE, Outcome.RUNTIME_ERROR} if self.adaptive_runtime_errors else {Outcome.FAILURE}
        if report.outcome in counted:
            # In the paper from -0.3 up to 1.0, a factor of 1.3.
            adaptive_range = self.coarse_rewards[Outcome.PASS] - self.coarse_rewards[Outcome.FAILURE]
            reward += self.adaptive_weight * adaptive_range * (report.pass_ratio if share is None else share)
        return reward


def check_weight(name: str, weight: object) -> None:
    """
    Check the weight of a reward.

    Args:
        name (`str`): Name of the argument, for the error message.
        weight (`object`): Its value.

    Raises:
        ValueError: If the weight is not a number or is negative.
    """
    if not isinstance(weight, (int, float)) or not weight >= 0:
        raise ValueError(f"`{name}` is {weight!r}, but must be a number: 0 (off) or above.")
