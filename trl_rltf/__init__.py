"""Train code models online from unit-test feedback, as a plugin for TRL.

RLTF is the method of arXiv 2307.04349.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._lazy import lazy_names


__version__ = "0.2.0"

if TYPE_CHECKING:
    from .critic import CriticRewardFunction as CriticRewardFunction
    from .data import load_apps as load_apps
    from .data import load_mbpp as load_mbpp
    from .mini import make_mini_apps as make_mini_apps
    from .mini import make_mini_apps_long as make_mini_apps_long
    from .rewards import TokenReward as TokenReward
    from .rewards import UnitTestRewardFunction as UnitTestRewardFunction
    from .trainer import OnlineBuffer as OnlineBuffer
    from .trainer import RLTFConfig as RLTFConfig
    from .trainer import RLTFTrainer as RLTFTrainer

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".critic": ("CriticRewardFunction",),
        ".data": (
            "load_apps",
            "load_mbpp",
        ),
        ".mini": (
            "make_mini_apps",
            "make_mini_apps_long",
        ),
        ".rewards": (
            "TokenReward",
            "UnitTestRewardFunction",
        ),
        ".trainer": (
            "OnlineBuffer",
            "RLTFConfig",
            "RLTFTrainer",
        ),
    },
)
