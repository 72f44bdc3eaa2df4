"""Turn the outcome of unit tests into rewards for completion tokens."""

from .critic import Critic, CriticReading
from .critic_reward import CriticRewardFunction
from .extraction import ExtractedProgram, extract_program
from .feedback import ErrorScope, Feedback, FeedbackRules, error_scope
from .localization import span_tokens, token_ranges
from .token_reward import TokenReward
from .unit_test_reward import UnitTestRewardFunction


__all__ = [
    "Critic",
    "CriticReading",
    "CriticRewardFunction",
    "ErrorScope",
    "ExtractedProgram",
    "Feedback",
    "FeedbackRules",
    "TokenReward",
    "UnitTestRewardFunction",
    "error_scope",
    "extract_program",
    "span_tokens",
    "token_ranges",
]
