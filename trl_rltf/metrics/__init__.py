"""Measure how often a model solves a problem."""

from .pass_at_k.pass_at_k import estimate_pass_at_k
from .policy_evaluation import PolicyEvaluation, evaluate_policy


__all__ = ["PolicyEvaluation", "estimate_pass_at_k", "evaluate_policy"]
