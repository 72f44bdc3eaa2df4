"""The baseline that is subtracted from the reward of each completion."""

# Dimensions: N completions of all processes, G completions per group.

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import torch


# TRL computes the first; the others are here.
Baseline = Literal["group_mean", "leave_one_out", "greedy", "none"]

# Greedy completions of a batch: as texts or messages, and as token ids.
GreedyCompletions = tuple[list[Any], list[list[int]]]


def greedy_completions(
    prompts: list[Any], decode: Callable[[list[Any]], list[tuple[Any, list[int]]]]
) -> GreedyCompletions:
    """
    Decode each prompt greedily; equal prompts are decoded once.

    Args:
        prompts (`list`): Prompts, as text or as chat messages.
        decode (`Callable`): Returns the greedy completion of each of a list of prompts, as text or message and as ids.

    Returns:
        `tuple`: The completions as texts or messages, and their token ids, in the order of the prompts.
    """
    keys = [json.dumps(prompt) for prompt in prompts]
    unique = dict(zip(keys, prompts, strict=True))
    completion_of = dict(zip(unique, decode(list(unique.values())), strict=True))
    return [completion_of[key][0] for key in keys], [list(completion_of[key][1]) for key in keys]


def leave_one_out_baseline(rewards: torch.Tensor, group_size: int) -> torch.Tensor:
    """
    Return the mean reward of the other completions in the group (RLOO).

    Args:
        rewards (`torch.Tensor`): Rewards, shape `(N,)`, group by group; NaN for a completion without a reward.
        group_size (`int`): Number of completions per group, G.

    Returns:
        `torch.Tensor`: Shape `(N,)`; NaN for the only completion of its group that has a reward.
    """
    groups = rewards.view(-1, group_size)
    counts = (~torch.isnan(groups)).sum(1, keepdim=True)
    others = groups.nansum(1, keepdim=True) - groups.nan_to_num(0.0)
    baseline = (others / (counts - 1).clamp(min=1)).view(-1)
    baseline[(counts == 1).repeat_interleave(group_size)] = torch.nan
    return baseline


def greedy_baseline(rewards: torch.Tensor, group_size: int, greedy_rewards: torch.Tensor) -> torch.Tensor:
    """
    Return the reward of the greedy completion of the same prompt (RLTF).

    Args:
        rewards (`torch.Tensor`): Rewards, shape `(N,)`, group by group; NaN for a completion without a reward.
        group_size (`int`): Number of completions per group, G.
        greedy_rewards (`torch.Tensor`): Reward of the greedy completion of each prompt, shape `(N,)`.

    Returns:
        `torch.Tensor`: Shape `(N,)`; the mean of the group where the greedy completion has no reward.
    """
    means = torch.nanmean(rewards.view(-1, group_size), dim=1).repeat_interleave(group_size)
    return torch.where(torch.isnan(greedy_rewards), means, greedy_rewards)
