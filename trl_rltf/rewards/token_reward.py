"""A reward of a completion that also has a reward for each of its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from ..execution import Outcome


class TokenReward(float):
    """
    A number for TRL's own trainers, and a number per token for [`RLTFTrainer`].

    Args:
        reward (`float`): Reward of the whole completion.
        tokens (`Sequence[float]`): Reward of each completion token, length `T`.
        weights (`Sequence[float]`, *optional*): Factor of the advantage (reward minus baseline) of each completion token,
            length `T`. Without weights all factors are 1.
        outcome ([`~execution.Outcome`], *optional*): Outcome of the program, for a [`CriticRewardFunction`] that wraps the reward
            function.

    Example:

    ```python
    >>> reward = TokenReward(-0.6, tokens=[-0.6, -0.9])
    >>> reward + 1.0
    0.4
    ```
    """

    tokens: list[float]
    weights: list[float] | None
    outcome: Outcome | None

    def __new__(
        cls,
        reward: float,
        tokens: Sequence[float],
        weights: Sequence[float] | None = None,
        outcome: Outcome | None = None,
    ) -> Self:
        self = super().__new__(cls, reward)
        self.tokens = list(tokens)
        self.weights = None if weights is None else list(weights)
        self.outcome = outcome
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[float, list[float], list[float] | None, Outcome | None]]:
        return type(self), (float(self), self.tokens, self.weights, self.outcome)
