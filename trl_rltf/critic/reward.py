"""Weight each token's advantage by a critic's probability of the observed outcome."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from ..completions.conversation import final_text
from ..completions.tokens import token_ranges
from ..execution import Outcome
from ..rewards.token_reward import TokenReward
from .model import OUTCOMES, Critic, CriticOutput


class CriticRewardFunction:
    """
    Weight each token's advantage by a critic's probability of the observed outcome.

    CodeRL (arXiv 2207.01780) and the official code of RLTF do this. Equation of CodeRL, with the outcome u of the tests:
    ∇L = -(r(W) - r(W_baseline)) · Σ_t q(u | w_1..t) · ∇ log π(w_t).

    The rewards are those of the wrapped function. [`RLTFTrainer`] applies the weights after it has subtracted the baseline;
    TRL's own trainers use the plain number and the critic does not run.

    Example:

    ```python
    from trl_rltf import CriticRewardFunction, UnitTestRewardFunction

    reward = CriticRewardFunction(UnitTestRewardFunction(), critic="outputs/critic")
    ```

    Args:
        reward_function (`Callable`):
            Returns a [`TokenReward`] with an `outcome` for each completion, as [`UnitTestRewardFunction`] does, or `None`.
        critic ([`~critic.Critic`] or `str`):
            Critic, or its name or path.

    Raises:
        TypeError: If the reward function is asynchronous.
        ValueError: If the critic's labels are not the four outcomes.
    """

    def __init__(self, reward_function: Callable[..., Any], critic: Critic | str):
        if any(map(inspect.iscoroutinefunction, (reward_function, type(reward_function).__call__))):
            raise TypeError(
                "`reward_function` is asynchronous, but the critic needs its result. Pass a synchronous function."
            )
        self.reward_function = reward_function
        self.critic = critic if isinstance(critic, Critic) else Critic(critic)
        # The rewards are those of the wrapped function, so they are logged under its name.
        self.__name__ = reward_function.__name__
        parameters = inspect.signature(reward_function).parameters.values()
        # Rewards of the wrapped function that are comparable only among completions of the same call.
        self.needs_whole_groups = hasattr(reward_function, "needs_whole_groups") and reward_function.needs_whole_groups
        self._passes_tokenizer = any(p.name == "processing_class" or p.kind is p.VAR_KEYWORD for p in parameters)

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]] | None = None,
        processing_class: Any = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[TokenReward | None]:
        """
        Reward completions and weight their tokens.

        Args:
            prompts (`Sequence`): Prompts, as text or as chat messages.
            completions (`Sequence`): Completions, as text or as chat messages.
            completion_ids (`Sequence[Sequence[int]]`, *optional*): Token ids of each completion.
            processing_class ([`~transformers.PreTrainedTokenizerBase`], *optional*): The policy's tokenizer.
            log_metric (`Callable`, *optional*): TRL's hook for metrics.
            **columns: Other arguments of the wrapped function, which also gets those above.

        Returns:
            `list[TokenReward | None]`: Rewards of the wrapped function, with `weights`.

        Raises:
            TypeError: If the wrapped function returned a reward without an outcome.
        """
        arguments = {"completion_ids": completion_ids, "log_metric": log_metric, **columns}
        if self._passes_tokenizer and processing_class is not None:
            arguments["processing_class"] = processing_class
        rewards = list(self.reward_function(prompts=prompts, completions=completions, **arguments))
        for row, reward in enumerate(rewards):
            if reward is not None and (not isinstance(reward, TokenReward) or reward.outcome is None):
                raise TypeError(
                    f"The reward function {self.__name__!r} returned a {type(reward).__name__} without an outcome for completion "
                    f"{row}, but the weight is the critic's probability of the outcome. Return a `TokenReward` with `outcome`, or "
                    "`None`."
                )
        # TRL's own trainers use the plain numbers; only `RLTFTrainer` passes its tokenizer.
        if completion_ids is None or processing_class is None:
            return rewards
        graded = [row for row, reward in enumerate(rewards) if reward is not None]
        outputs = self.critic([prompts[row] for row in graded], [completions[row] for row in graded])
        for row, output in zip(graded, outputs, strict=True):
            text = final_text(completions[row])
            rewards[row] = _weighted(rewards[row], output, text, completion_ids[row], processing_class)
        if log_metric is not None and graded:
            _log([rewards[row].outcome for row in graded], outputs, log_metric)
        return rewards

    def check_dataset(self, dataset: Any) -> None:
        """
        Check a dataset before training starts, as the wrapped function does.

        Args:
            dataset ([`~datasets.Dataset`]): Training or evaluation set.
        """
        if hasattr(self.reward_function, "check_dataset"):
            self.reward_function.check_dataset(dataset)


def _weighted(reward: TokenReward, output: CriticOutput, text: str, ids: Sequence[int], tokenizer: Any) -> TokenReward:
    ranges = token_ranges(ids, text, tokenizer)
    if text and all(begin == end for begin, end in ranges):  # the tokens could not be found in the text
        ranges = [(0, len(text))] * len(ids)
    assert reward.outcome is not None
    weights = output.at_tokens(ranges, reward.outcome)
    if reward.weights is not None:  # those of another critic
        weights = [old * new for old, new in zip(reward.weights, weights, strict=True)]
    return TokenReward(reward, reward.tokens, weights, reward.outcome)


def _log(
    outcomes: Sequence[Outcome], outputs: Sequence[CriticOutput], log_metric: Callable[[str, float], None]
) -> None:
    is_correct = [
        OUTCOMES[int(output.verdict.argmax())] is outcome for outcome, output in zip(outcomes, outputs, strict=True)
    ]
    probabilities = [
        float(output.verdict[OUTCOMES.index(outcome)]) for outcome, output in zip(outcomes, outputs, strict=True)
    ]
    log_metric("critic/accuracy", sum(is_correct) / len(is_correct))
    log_metric("critic/probability", sum(probabilities) / len(probabilities))
