"""Turn the outcome of unit tests into rewards for completion tokens."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .extraction import ExtractedProgram, extract_program
from .feedback import ErrorScope, Feedback, FeedbackRules, error_scope
from .localization import span_tokens, token_ranges
from .token_reward import TokenReward
from .unit_test_reward import UnitTestRewardFunction


if TYPE_CHECKING:
    from .critic import Critic, CriticReading
    from .critic_reward import CriticRewardFunction

# Imported on first use: only a critic needs PyTorch.
_HOMES = {"Critic": ".critic", "CriticReading": ".critic", "CriticRewardFunction": ".critic_reward"}
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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
