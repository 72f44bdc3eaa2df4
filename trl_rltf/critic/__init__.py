"""Predict the outcome of unit tests from a program's tokens, as CodeRL does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .model import Critic as Critic
    from .model import CriticOutput as CriticOutput
    from .reward import CriticRewardFunction as CriticRewardFunction
    from .sampling import CriticSampler as CriticSampler
    from .sampling import refine_with_critic as refine_with_critic
    from .training import CriticEvaluation as CriticEvaluation
    from .training import CriticTrainer as CriticTrainer
    from .training import evaluate_critic as evaluate_critic

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".model": (
            "Critic",
            "CriticOutput",
        ),
        ".reward": ("CriticRewardFunction",),
        ".sampling": (
            "CriticSampler",
            "refine_with_critic",
        ),
        ".training": (
            "CriticEvaluation",
            "CriticTrainer",
            "evaluate_critic",
        ),
    },
)
