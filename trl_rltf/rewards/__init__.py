"""Turn the outcome of unit tests into rewards for completion tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .feedback import ErrorScope as ErrorScope
    from .feedback import Feedback as Feedback
    from .feedback import FeedbackRules as FeedbackRules
    from .feedback import error_scope as error_scope
    from .token_reward import TokenReward as TokenReward
    from .unit_tests import UnitTestRewardFunction as UnitTestRewardFunction

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".feedback": (
            "ErrorScope",
            "Feedback",
            "FeedbackRules",
            "error_scope",
        ),
        ".token_reward": ("TokenReward",),
        ".unit_tests": ("UnitTestRewardFunction",),
    },
)
