"""Offer the reward by unit tests as a plain function that a command line can name."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from ..execution.program import check_opt_in
from .token_reward import TokenReward
from .unit_tests import UnitTestRewardFunction


def unit_test_reward(
    completions: Sequence[Any],
    tests: Sequence[Any] | None = None,
    processing_class: Any = None,
    **columns: Any,
) -> list[TokenReward | None]:
    """
    Reward completions by running their programs on unit tests (default settings).

    It is a [`UnitTestRewardFunction`] without arguments, made at the first call, so that TRL's command line can name it:
    `HF_ALLOW_CODE_EVAL=1 trl grpo --reward_funcs trl_rltf.rewards.unit_test_reward`.

    Args:
        completions (`Sequence`): Completions, as text or as chat messages.
        tests (`Sequence`): Column of unit tests, one entry per completion.
        processing_class ([`~transformers.PreTrainedTokenizerBase`], *optional*): The trainer's tokenizer.
        **columns: The other arguments that TRL passes, see [`UnitTestRewardFunction`].

    Returns:
        `list[TokenReward | None]`: One entry per completion; `None` if the sandbox failed.

    Raises:
        ValueError: If `HF_ALLOW_CODE_EVAL` is not 1, or the column `tests` is missing or malformed.
    """
    check_opt_in()  # at each call: the function below is made only once
    return _default_function()(completions=completions, tests=tests, processing_class=processing_class, **columns)


@functools.cache
def _default_function() -> UnitTestRewardFunction:
    return UnitTestRewardFunction()
