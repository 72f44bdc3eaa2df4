"""Measure how often a model solves a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .evaluation import Evaluation as Evaluation
    from .evaluation import evaluate as evaluate
    from .pass_at_k import PASS_AT_K as PASS_AT_K
    from .pass_at_k.pass_at_k import estimate_pass_at_k as estimate_pass_at_k
    from .samplers import EmptySampler as EmptySampler
    from .samplers import PolicySampler as PolicySampler
    from .samplers import ReferenceSampler as ReferenceSampler
    from .samplers import Sampler as Sampler
    from .shards import ShardedRun as ShardedRun
    from .statistics import Estimate as Estimate
    from .statistics import ProblemCounts as ProblemCounts
    from .statistics import bootstrap_interval as bootstrap_interval
    from .statistics import choose_ks as choose_ks
    from .statistics import summarize as summarize
    from .statistics import summarize_filtered as summarize_filtered
    from .vllm_samplers import VLLMSampler as VLLMSampler
    from .vllm_samplers import VLLMServerSampler as VLLMServerSampler

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".evaluation": ("Evaluation", "evaluate"),
        ".pass_at_k": ("PASS_AT_K",),
        ".pass_at_k.pass_at_k": ("estimate_pass_at_k",),
        ".samplers": ("EmptySampler", "PolicySampler", "ReferenceSampler", "Sampler"),
        ".shards": ("ShardedRun",),
        ".statistics": (
            "Estimate",
            "ProblemCounts",
            "bootstrap_interval",
            "choose_ks",
            "summarize",
            "summarize_filtered",
        ),
        ".vllm_samplers": ("VLLMSampler", "VLLMServerSampler"),
    },
)
