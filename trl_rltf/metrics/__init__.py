"""Measure how often a model solves a problem."""

from .completion import Completion
from .critic_sampler import CriticSampler
from .critic_sampling import refine_with_critic
from .generation import Sampling, generate_completions, prompt_lengths, weights_fingerprint
from .pass_at_k.pass_at_k import estimate_pass_at_k
from .policy_evaluation import PolicyEvaluation, evaluate_policy
from .sampled_evaluation import SampledEvaluation, evaluate_in_shards
from .samplers import EmptySampler, PolicySampler, ReferenceSampler, Sampler
from .shards import ShardedRun
from .summary import Estimate, ProblemCounts, bootstrap_interval, check_ks, summarize, summarize_filtered


__all__ = [
    "Completion",
    "CriticSampler",
    "EmptySampler",
    "Estimate",
    "PolicyEvaluation",
    "PolicySampler",
    "ProblemCounts",
    "ReferenceSampler",
    "SampledEvaluation",
    "Sampler",
    "Sampling",
    "ShardedRun",
    "bootstrap_interval",
    "check_ks",
    "estimate_pass_at_k",
    "evaluate_in_shards",
    "evaluate_policy",
    "generate_completions",
    "prompt_lengths",
    "refine_with_critic",
    "summarize",
    "summarize_filtered",
    "weights_fingerprint",
]
