"""Turn the rewards of completions and tokens into advantages: reward minus baseline, scaled and weighted."""

# Dimensions: N completions of all processes, F reward functions, G completions of a group, B of this process, T tokens.

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from trl.trainer.utils import nanstd


# By reward function: a number for each token of each completion, or `None`.
TokenNumbers = Mapping[int, Sequence[Sequence[float] | None]]

_EPSILON = 1e-4  # what TRL adds to a standard deviation


def weighted_rewards(rewards_per_func: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """
    Weighted sum over the reward functions.

    Args:
        rewards_per_func (`torch.Tensor`): Rewards, shape `(N, F)`; NaN where a function gave none.
        weights (`torch.Tensor`): Weight of each function, shape `(F,)`.

    Returns:
        `torch.Tensor`: Shape `(N,)`; NaN where no function gave a reward.
    """
    rewards = (rewards_per_func * weights.to(rewards_per_func.device)).nansum(dim=1)
    rewards[torch.isnan(rewards_per_func).all(dim=1)] = torch.nan
    return rewards


def sequence_advantages(
    rewards: torch.Tensor, group_size: int, baseline: str, scale: str, greedy_rewards: torch.Tensor | None = None
) -> torch.Tensor:
    """
    Reward minus baseline of each completion.

    Args:
        rewards (`torch.Tensor`): Rewards, shape `(N,)`, whole groups one after the other; NaN for none.
        group_size (`int`): Completions a group, G.
        baseline (`str`): `"leave_one_out"`, `"greedy"` or `"none"`.
        scale (`str`): `"group"` or `"batch"`, whose standard deviation divides, or `"none"`.
        greedy_rewards (`torch.Tensor`, *optional*): Reward of the greedy completion of each prompt, shape `(N,)`; where it is
            NaN the mean of the group takes its place.

    Returns:
        `torch.Tensor`: Shape `(N,)`; 0 for a completion without a reward, or with nothing to compare with.
    """
    groups = rewards.view(-1, group_size)
    subtracted = torch.zeros_like(rewards)
    if baseline == "leave_one_out":
        counts = (~torch.isnan(groups)).sum(1, keepdim=True)
        others = groups.nansum(1, keepdim=True) - groups.nan_to_num(0.0)
        subtracted = (others / (counts - 1).clamp(min=1)).view(-1)
        subtracted[(counts == 1).repeat_interleave(group_size)] = torch.nan  # alone in its group
    elif greedy_rewards is not None:
        means = torch.nanmean(groups, dim=1).repeat_interleave(group_size)
        subtracted = torch.where(torch.isnan(greedy_rewards), means, greedy_rewards)
    advantages = rewards - subtracted
    if scale == "group":
        advantages = advantages / _divisor(nanstd(groups, dim=1)).repeat_interleave(group_size)
    elif scale == "batch":
        advantages = advantages / _divisor(nanstd(rewards))
    return advantages.nan_to_num(0.0)


def sum_of_token_rewards(
    token_rewards: TokenNumbers, weights: torch.Tensor, like: torch.Tensor
) -> torch.Tensor | None:
    """
    Weighted sum, over the reward functions, of what the tokens get on top of the reward of their sequence.

    Args:
        token_rewards (`Mapping[int, Sequence]`): By function: the rewards of the tokens of each completion, or `None`.
        weights (`torch.Tensor`): Weight of each function, shape `(F,)`.
        like (`torch.Tensor`): A tensor of the shape `(B, T)`, on the device of the result.

    Returns:
        `torch.Tensor`: Shape `(B, T)`; 0 where no function gave a reward. `None` if none gave any.
    """
    if not any(row is not None for rows in token_rewards.values() for row in rows):
        return None
    total = torch.zeros_like(like, dtype=torch.float32)
    for index, rows in token_rewards.items():
        for row, numbers in enumerate(rows):
            if numbers is not None:
                total[row, : len(numbers)] += weights[index].item() * torch.tensor(numbers, device=total.device)
    return total


def product_of_token_weights(
    token_weights: TokenNumbers, weights: torch.Tensor, like: torch.Tensor
) -> torch.Tensor | None:
    """
    Product, over the reward functions, of the factors of the tokens' advantages.

    Args:
        token_weights (`Mapping[int, Sequence]`): By function: the factors of the tokens of each completion, or `None`.
        weights (`torch.Tensor`): Weight of each function, shape `(F,)`; one with the weight 0 is only watched.
        like (`torch.Tensor`): A tensor of the shape `(B, T)`, on the device of the result.

    Returns:
        `torch.Tensor`: Shape `(B, T)`; 1 where no function gave a factor. `None` if none gave any.
    """
    given = {index: rows for index, rows in token_weights.items() if weights[index] != 0}
    if not any(row is not None for rows in given.values() for row in rows):
        return None
    product = torch.ones_like(like, dtype=torch.float32)
    for rows in given.values():
        for row, numbers in enumerate(rows):
            if numbers is not None:
                product[row, : len(numbers)] *= torch.tensor(numbers, device=product.device)
    return product


def _divisor(std: torch.Tensor) -> torch.Tensor:
    # Without variance, and with a baseline other than the mean, dividing by almost nothing would let one group drown the
    # others: such rewards stay as they are.
    return torch.where(std > _EPSILON, std + _EPSILON, torch.ones_like(std))
