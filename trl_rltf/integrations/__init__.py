"""
Grade programs inside other frameworks.

The functions have the signatures of verl, open-r1, verifiers, lighteval and lm-evaluation-harness, and need no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .code_eval import CODE_EVAL as CODE_EVAL
    from .lighteval import pass_at_k_metric as pass_at_k_metric
    from .lm_eval import compute_code_eval as compute_code_eval
    from .lm_eval import pass_at_1 as pass_at_1
    from .lm_eval import pass_at_k as pass_at_k
    from .open_r1 import binary_code_reward as binary_code_reward
    from .open_r1 import code_reward as code_reward
    from .problem_tests import check_tests as check_tests
    from .shared_runner import configure as configure
    from .verifiers import rubric_reward as rubric_reward
    from .verifiers import task_reward as task_reward
    from .verl import compute_score as compute_score
    from .verl import compute_scores as compute_scores

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".code_eval": ("CODE_EVAL",),
        ".lighteval": ("pass_at_k_metric",),
        ".lm_eval": (
            "compute_code_eval",
            "pass_at_1",
            "pass_at_k",
        ),
        ".open_r1": (
            "binary_code_reward",
            "code_reward",
        ),
        ".problem_tests": ("check_tests",),
        ".shared_runner": ("configure",),
        ".verifiers": (
            "rubric_reward",
            "task_reward",
        ),
        ".verl": (
            "compute_score",
            "compute_scores",
        ),
    },
)
