"""The greedy completions of a batch: what the baseline `"greedy"` compares sampled completions with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from .grpo_hooks import GRPOHooks

# Greedy completions of a batch: as texts or messages, and as token ids.
GreedyCompletions = tuple[list[Any], list[list[int]]]


def greedy_completions(trainer: GRPOHooks, prompts: list[Any]) -> GreedyCompletions:
    """
    Decode each prompt greedily; equal prompts decode once.

    Args:
        trainer ([`GRPOHooks`]): What generates.
        prompts (`list`): Prompts, as text or as chat messages.

    Returns:
        `tuple`: The completions as texts or messages, and their token ids.
    """
    keys = [json.dumps(prompt) for prompt in prompts]
    unique = dict(zip(keys, prompts, strict=True))
    greedy = trainer.generate_greedily(list(unique.values()))
    completion_of = dict(zip(unique, greedy, strict=True))
    return [completion_of[key][0] for key in keys], [list(completion_of[key][1]) for key in keys]
