"""Measure how often a model solves a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .pass_at_k.pass_at_k import estimate_pass_at_k as estimate_pass_at_k
    from .policy_evaluation import PolicyEvaluation as PolicyEvaluation
    from .policy_evaluation import evaluate_policy as evaluate_policy
    from .sampled_evaluation import SampledEvaluation as SampledEvaluation
    from .sampled_evaluation import evaluate_in_shards as evaluate_in_shards
    from .samplers import EmptySampler as EmptySampler
    from .samplers import PolicySampler as PolicySampler
    from .samplers import ReferenceSampler as ReferenceSampler
    from .samplers import Sampler as Sampler
    from .shards import ShardedRun as ShardedRun
    from .statistics import Estimate as Estimate
    from .statistics import ProblemCounts as ProblemCounts
    from .statistics import bootstrap_interval as bootstrap_interval
    from .statistics import check_ks as check_ks
    from .statistics import summarize as summarize
    from .statistics import summarize_filtered as summarize_filtered

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".pass_at_k.pass_at_k": ("estimate_pass_at_k",),
        ".policy_evaluation": (
            "PolicyEvaluation",
            "evaluate_policy",
        ),
        ".sampled_evaluation": (
            "SampledEvaluation",
            "evaluate_in_shards",
        ),
        ".samplers": (
            "EmptySampler",
            "PolicySampler",
            "ReferenceSampler",
            "Sampler",
        ),
        ".shards": ("ShardedRun",),
        ".statistics": (
            "Estimate",
            "ProblemCounts",
            "bootstrap_interval",
            "check_ks",
            "summarize",
            "summarize_filtered",
        ),
    },
)
