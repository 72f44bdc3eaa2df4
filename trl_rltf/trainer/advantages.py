"""Turn the rewards of completions and tokens into advantages."""

# Dimensions: N completions of all processes, F reward functions, G completions per group, B completions of this process,
# T tokens.

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from ._trl import nanstd
from .baselines import Baseline, greedy_baseline, leave_one_out_baseline


# By reward function: one number per token of each completion, or `None` for a completion without numbers.
TokenNumbers = Mapping[int, Sequence[Sequence[float] | None]]

_EPSILON = 1e-4  # TRL adds it to a standard deviation


def weighted_rewards(rewards_per_func: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """
    Return the weighted sum over the reward functions.

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
    rewards: torch.Tensor, group_size: int, baseline: Baseline, scale: str, greedy_rewards: torch.Tensor | None = None
) -> torch.Tensor:
    """
    Return the reward of each completion minus its baseline.

    Args:
        rewards (`torch.Tensor`): Rewards, shape `(N,)`, group by group; NaN for a completion without a reward.
        group_size (`int`): Number of completions per group, G.
        baseline (`str`): `"leave_one_out"`, `"greedy"` or `"none"`.
        scale (`str`): `"group"` or `"batch"` to divide by that standard deviation, or `"none"`.
        greedy_rewards (`torch.Tensor`, *optional*): Reward of the greedy completion of each prompt, shape `(N,)`. Where
            it is NaN, the mean of the group is the baseline.

    Returns:
        `torch.Tensor`: Shape `(N,)`; 0 for a completion without a reward or without a baseline.
    """
    advantages = rewards
    if baseline == "leave_one_out":
        advantages = rewards - leave_one_out_baseline(rewards, group_size)
    elif greedy_rewards is not None:
        advantages = rewards - greedy_baseline(rewards, group_size, greedy_rewards)
    if scale == "group":
        advantages = advantages / _divisor(nanstd(rewards.view(-1, group_size), dim=1)).repeat_interleave(group_size)
    elif scale == "batch":
        advantages = advantages / _divisor(nanstd(rewards))
    return advantages.nan_to_num(0.0)


def find_informative_groups(
    advantages: torch.Tensor,
    rewards: torch.Tensor,
    token_deltas: torch.Tensor | None,
    group_size: int,
    baseline: Baseline,
) -> list[bool]:
    """
    Tell which groups teach: completions or tokens have different rewards.

    If the baseline is not taken from the group, a group of equal rewards teaches too, unless all of its advantages are 0.

    Args:
        advantages (`torch.Tensor`): Shape `(B,)` or `(B, T)`.
        rewards (`torch.Tensor`): Rewards of the completions, shape `(B,)`; NaN for a completion without a reward.
        token_deltas (`torch.Tensor` or `None`): Rewards of tokens minus those of their completions, shape `(B, T)`.
        group_size (`int`): Completions per group.
        baseline (`str`): The baseline.

    Returns:
        `list[bool]`: One entry per group.
    """
    has_advantage = advantages.reshape(len(rewards) // group_size, -1).ne(0).any(1)
    if baseline not in ("group_mean", "leave_one_out"):
        return has_advantage.tolist()
    # By the rewards: the mean of equal numbers may differ from them by a rounding error, which a division by the standard
    # deviation makes large.
    groups = rewards.view(-1, group_size)
    differs = groups.nan_to_num(-torch.inf).amax(1) > groups.nan_to_num(torch.inf).amin(1)
    if token_deltas is not None:
        differs |= token_deltas.reshape(len(groups), -1).ne(0).any(1)
    return (has_advantage & differs).tolist()


def sum_of_token_rewards(
    token_rewards: TokenNumbers, weights: torch.Tensor, template: torch.Tensor
) -> torch.Tensor | None:
    """
    Return the weighted sum, over the reward functions, of the token rewards.

    Args:
        token_rewards (`Mapping[int, Sequence]`): By function: for each completion, the reward of each token minus the
            reward of the sequence, or `None`.
        weights (`torch.Tensor`): Weight of each function, shape `(F,)`.
        template (`torch.Tensor`): Tensor of the shape `(B, T)`, on the device of the result.

    Returns:
        `torch.Tensor`: Shape `(B, T)`; 0 where no function gave token rewards. `None` if none did.
    """
    if not any(row is not None for rows in token_rewards.values() for row in rows):
        return None
    total = torch.zeros_like(template, dtype=torch.float32)
    for index, rows in token_rewards.items():
        for row, numbers in enumerate(rows):
            if numbers is not None:
                total[row, : len(numbers)] += weights[index].item() * torch.tensor(numbers, device=total.device)
    return total


def product_of_token_weights(
    token_weights: TokenNumbers, weights: torch.Tensor, template: torch.Tensor
) -> torch.Tensor | None:
    """
    Return the product, over the reward functions, of the token weights.

    Args:
        token_weights (`Mapping[int, Sequence]`): By function: for each completion, the factor of the advantage of each
            token, or `None`.
        weights (`torch.Tensor`): Weight of each function, shape `(F,)`. Token weights of a function with the weight 0
            are left out.
        template (`torch.Tensor`): Tensor of the shape `(B, T)`, on the device of the result.

    Returns:
        `torch.Tensor`: Shape `(B, T)`; 1 where no function gave token weights. `None` if none did.
    """
    used = {index: rows for index, rows in token_weights.items() if weights[index] != 0}
    if not any(row is not None for rows in used.values() for row in rows):
        return None
    product = torch.ones_like(template, dtype=torch.float32)
    for rows in used.values():
        for row, numbers in enumerate(rows):
            if numbers is not None:
                product[row, : len(numbers)] *= torch.tensor(numbers, device=product.device)
    return product


def means_over_tokens(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """
    Return the mean of each row over its unmasked tokens.

    Args:
        values (`torch.Tensor`): Shape `(B, T)`.
        mask (`torch.Tensor`): Shape `(B, T)`.

    Returns:
        `torch.Tensor`: Shape `(B,)`; 0 for a row that is masked completely.
    """
    return (values * mask).sum(1) / mask.sum(1).clamp(min=1)


def group_means(values: torch.Tensor, group_size: int) -> torch.Tensor:
    """
    Return the mean of the group of each completion.

    Args:
        values (`torch.Tensor`): One number per completion, shape `(N,)`, group by group.
        group_size (`int`): Number of completions per group, G.

    Returns:
        `torch.Tensor`: Shape `(N,)`.
    """
    return values.view(-1, group_size).mean(1).repeat_interleave(group_size)


def local_rows(rows: torch.Tensor, count: int, process_index: int) -> torch.Tensor:
    """
    Return the rows of one process.

    Args:
        rows (`torch.Tensor`): One row per completion, process by process.
        count (`int`): Number of completions per process.
        process_index (`int`): Number of the process.

    Returns:
        `torch.Tensor`: `count` rows.
    """
    start = process_index * count
    return rows[start : start + count]


def _divisor(std: torch.Tensor) -> torch.Tensor:
    # A group without variance is not scaled: with a baseline other than the mean, its advantages are not 0, and dividing
    # them by almost nothing would outweigh all other groups.
    return torch.where(std > _EPSILON, std + _EPSILON, torch.ones_like(std))
