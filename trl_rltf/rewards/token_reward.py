"""A reward of a completion that also has a reward for each of its tokens."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from ..completions.program import completion_text
from ..completions.tokens import token_ranges
from ..execution import Outcome


class TokenReward(float):
    """
    A number for TRL's own trainers, and a number per token for [`RLTFTrainer`].

    Args:
        reward (`float`): Reward of the whole completion.
        tokens (`Sequence[float]`): Reward of each completion token, length `T`. It includes the reward of the completion: a
            token without a reward of its part has `reward`, and not 0.
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

    @classmethod
    def from_spans(
        cls,
        reward: float,
        spans: Iterable[tuple[int, int, float]],
        completion: str | Sequence[Mapping[str, Any]],
        completion_ids: Sequence[int],
        tokenizer: Any,
    ) -> Self:
        """
        Make token rewards of the rewards of parts of a text.

        A token has the reward of the completion, plus the rewards of all spans that share a character with it.

        Args:
            reward (`float`): Reward of the whole completion.
            spans (`Iterable[tuple[int, int, float]]`): First character, end (exclusive) and reward of each part. Parts may
                overlap.
            completion (`str` or `Sequence[Mapping]`): Completion, as a reward function gets it. In a chat, positions are those
                in the last text of the assistant.
            completion_ids (`Sequence[int]`): Its token ids, length `T`.
            tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer of the model.

        Returns:
            [`TokenReward`]: With `tokens` of length `T`.

        Raises:
            ValueError: If a span is not within the text, or its reward is not a finite number.

        Example:

        ```python
        words = re.finditer(r"very|really", completion)
        reward = TokenReward.from_spans(1.0, [(*word.span(), -0.5) for word in words], completion, ids, tokenizer)
        ```
        """
        text = completion_text(completion)
        ranges = token_ranges(completion_ids, text, tokenizer)
        ends = [last for _, last in ranges]
        tokens = [float(reward)] * len(ranges)
        for start, end, value in spans:
            if not 0 <= start <= end <= len(text):
                raise ValueError(
                    f"A span is from {start} to {end}, but must be within the text, which has {len(text)} characters, and end "
                    "after its start. Take the positions in the completion, not in the prompt."
                )
            if not math.isfinite(value):
                raise ValueError(
                    f"The reward of the span from {start} to {end} is {value}, but must be a finite number. Leave the span out."
                )
            for index in range(bisect.bisect_right(ends, start), len(ranges)):
                first, last = ranges[index]
                if first >= end:
                    break
                tokens[index] += value if first < last else 0.0
        return cls(reward, tokens)

    def __reduce__(self) -> tuple[type[Self], tuple[float, list[float], list[float] | None, Outcome | None]]:
        return type(self), (float(self), self.tokens, self.weights, self.outcome)
