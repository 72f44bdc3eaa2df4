"""What a report on a program is worth: coarse and adaptive reward, and, as in the paper, a penalty on the tokens of an error."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..execution import ExecutionReport, Outcome, Span


# With these, coarse plus adaptive reward is the share of tests passed.
COARSE_REWARDS: Mapping[Outcome, float] = {
    Outcome.PASS: 1.0,
    Outcome.FAILURE: 0.0,
    Outcome.RUNTIME_ERROR: 0.0,
    Outcome.SYNTAX_ERROR: 0.0,
}
# Where the feedback of the paper (section 3.3) differs from the defaults.
PAPER_FEEDBACK: Mapping[str, Any] = {
    "coarse_rewards": {
        Outcome.PASS: 1.0,
        Outcome.FAILURE: -0.3,
        Outcome.RUNTIME_ERROR: -0.6,
        Outcome.SYNTAX_ERROR: -1.0,
    },
    "adaptive_runtime_errors": False,
    "fine_weight": 0.3,
    "fine_baseline": "none",
}
GRANULARITIES = ("line", "expression")
FINE_BASELINES = ("group", "none")


class ErrorScope(enum.StrEnum):
    """On which tokens an error is punished: the sub-types of fine-grained feedback in the paper, and `END`, which is ours."""

    LINE = "line"
    GLOBAL = "global"
    IGNORE = "ignore"
    END = "end"


_IGNORED_DETAILS = {
    "inconsistent_indentation",
    "unterminated_triple_quote",
    "duplicate_argument",
    "import_star",
    "raised_by_interpreter",
}


def error_scope(report: ExecutionReport) -> ErrorScope:
    """
    Classify an error by its type and position, never by its message, so that all versions of Python agree.

    Args:
        report ([`~execution.ExecutionReport`]): Report on a program.

    Returns:
        [`ErrorScope`]: `LINE` if the error has a place in the program, `GLOBAL` for a timeout, a RecursionError and a
        program that ends too early, else `IGNORE`.
    """
    if report.outcome not in (Outcome.RUNTIME_ERROR, Outcome.SYNTAX_ERROR):
        return ErrorScope.IGNORE
    # A program may raise TimeoutError itself, at a line of its own; the time limit has no place in it.
    out_of_time = report.error_type == "TimeoutError" and report.span is None
    if out_of_time or report.error_type == "RecursionError" or report.error_detail == "truncated":
        return ErrorScope.GLOBAL
    if report.error_detail in _IGNORED_DETAILS or report.span is None:
        return ErrorScope.IGNORE
    return ErrorScope.LINE


@dataclass(frozen=True, slots=True)
class Feedback:
    """
    What one program is worth.

    Args:
        reward (`float`): Reward of the whole sequence, coarse plus adaptive.
        penalty (`float`): Fine-grained reward, at most 0, for each token of the error; 0 where a group is compared instead.
        scope ([`ErrorScope`]): Which tokens those are. `END` is the token with which the program stops too early.
        span ([`~execution.Span`] or `None`): Their place in the program, if `scope` is `LINE`.
    """

    reward: float
    penalty: float = 0.0
    scope: ErrorScope = ErrorScope.IGNORE
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class FeedbackRules:
    """
    Which kinds of feedback to give, and how strongly.

    Args:
        coarse_weight (`float`, *optional*, defaults to `1.0`): Factor of the reward of the outcome class. 0 switches it off.
        adaptive_weight (`float`, *optional*, defaults to `1.0`): Factor of the adaptive reward, which rises with the share of
            tests passed, from the reward of `FAILURE` to that of `PASS`. 0 switches it off.
        fine_weight (`float`, *optional*, defaults to `1.0`): Weight of the fine-grained reward (λ). 0 switches it off.
        fine_baseline (`str`, *optional*, defaults to `"group"`): `"group"` credits each line by whether it got past parsing
            and running, minus the share of the group's programs that did; `"none"` subtracts λ from the tokens of the
            error, as the paper does.
        granularity (`str`, *optional*, defaults to `"line"`): `"line"` punishes the failing statement, as the paper does;
            `"expression"`, with `fine_baseline="none"` only, the sub-expression that Python's position table names, and of
            a program that stops too early the token with which it stops.
        adaptive_runtime_errors (`bool`, *optional*, defaults to `True`): Also count the tests passed by programs that
            raise in some of them. Not in the paper.
        coarse_rewards (`Mapping[Outcome, float]`, *optional*): Reward of each outcome class. Defaults to 1 for `PASS` and 0
            for the others.

    Raises:
        ValueError: If a weight is negative, a name is unknown, two settings contradict each other, or an outcome has no reward.
    """

    coarse_weight: float = 1.0
    adaptive_weight: float = 1.0
    fine_weight: float = 1.0
    fine_baseline: str = "group"
    granularity: str = "line"
    adaptive_runtime_errors: bool = True
    coarse_rewards: Mapping[Outcome, float] = field(default_factory=lambda: dict(COARSE_REWARDS))

    def __post_init__(self) -> None:
        for name in ("coarse_weight", "adaptive_weight", "fine_weight"):
            weight = getattr(self, name)
            if not isinstance(weight, (int, float)) or not weight >= 0:
                raise ValueError(f"`{name}` is {weight!r}, but must be a number: 0 (off) or above.")
        if self.granularity not in GRANULARITIES:
            raise ValueError(f"`granularity` is {self.granularity!r}, but must be 'line' or 'expression'.")
        if self.fine_baseline not in FINE_BASELINES:
            raise ValueError(f"`fine_baseline` is {self.fine_baseline!r}, but must be 'group' or 'none'.")
        if self.fine_baseline == "group" and self.granularity != "line":
            raise ValueError(
                f"`granularity={self.granularity!r}` needs `fine_baseline='none'`: a group is compared line by line."
            )
        missing = [outcome.name for outcome in COARSE_REWARDS if outcome not in self.coarse_rewards]
        if missing:
            raise ValueError(
                f"`coarse_rewards` has no reward for {', '.join(missing)}. Its keys are members of `Outcome`."
            )

    def __call__(self, report: ExecutionReport) -> Feedback:
        """
        Judge one program.

        Args:
            report ([`~execution.ExecutionReport`]): Report on a program that could be graded.

        Returns:
            [`Feedback`]: Its reward, and the penalty for its error.
        """
        reward = self.coarse_weight * self.coarse_rewards[report.outcome]
        counted = {Outcome.FAILURE, Outcome.RUNTIME_ERROR} if self.adaptive_runtime_errors else {Outcome.FAILURE}
        if report.outcome in counted:
            # In the paper from -0.3 up to 1.0, a factor of 1.3.
            adaptive_range = self.coarse_rewards[Outcome.PASS] - self.coarse_rewards[Outcome.FAILURE]
            reward += self.adaptive_weight * adaptive_range * report.pass_ratio
        scope = error_scope(report)
        if scope is ErrorScope.IGNORE or self.fine_weight == 0 or self.fine_baseline == "group":
            return Feedback(reward)
        if self.granularity == "expression" and report.error_detail == "truncated":
            return Feedback(reward, -self.fine_weight, ErrorScope.END)
        span = report.expression_span if self.granularity == "expression" else report.span
        return Feedback(reward, -self.fine_weight, scope, (span or report.span) if scope is ErrorScope.LINE else None)
