"""Turn the outcome of unit tests into rewards for completion tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .awaited import AsyncUnitTestRewardFunction as AsyncUnitTestRewardFunction
    from .outcome import OutcomeReward as OutcomeReward
    from .penalty import ErrorScope as ErrorScope
    from .penalty import error_scope as error_scope
    from .ready_function import unit_test_reward as unit_test_reward
    from .static_analysis import StaticAnalysisReward as StaticAnalysisReward
    from .token_reward import TokenReward as TokenReward
    from .unit_tests import UnitTestRewardFunction as UnitTestRewardFunction

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".awaited": ("AsyncUnitTestRewardFunction",),
        ".outcome": ("OutcomeReward",),
        ".penalty": (
            "ErrorScope",
            "error_scope",
        ),
        ".ready_function": ("unit_test_reward",),
        ".static_analysis": ("StaticAnalysisReward",),
        ".token_reward": ("TokenReward",),
        ".unit_tests": ("UnitTestRewardFunction",),
    },
)
