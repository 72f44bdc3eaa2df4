"""Set the advantages of a generation batch that several processes share."""

# Dimensions: N completions of all processes, F reward functions, B completions of this process, T tokens.

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .advantages import (
    TokenNumbers,
    find_informative_groups,
    group_means,
    local_rows,
    means_over_tokens,
    product_of_token_weights,
    sequence_advantages,
    sum_of_token_rewards,
    weighted_rewards,
)
from .checks import check_token_rewards
from .rltf_config import RLTFConfig
from .samples import loss_mask


class BatchAdvantages:
    """
    Set A_t = (r_t - b) * q_t: reward of sequence and token, baseline, token weight.

    Args:
        args ([`RLTFConfig`]): Settings.
        accelerator ([`~accelerate.Accelerator`]): Accelerator of the trainer.
        reward_weights (`torch.Tensor`): Weight of each reward function, shape `(F,)`.
        add_metric (`Callable`): Logs a number by its name.
    """

    def __init__(
        self,
        args: RLTFConfig,
        accelerator: Any,
        reward_weights: torch.Tensor,
        add_metric: Callable[[str, float], None],
    ):
        self._args = args
        self._accelerator = accelerator
        self._weights = reward_weights
        self._add_metric = add_metric

    def set_sequence(
        self,
        batch: dict[str, Any],
        rewards_per_func: torch.Tensor,
        greedy_rewards_per_func: torch.Tensor | None,
        group_size: int,
    ) -> None:
        """
        Replace TRL's advantages of sequences, which have the baseline `"group_mean"`.

        Args:
            batch (`dict`): Generation batch, with `advantages` of the shape `(B,)`.
            rewards_per_func (`torch.Tensor`): Rewards, shape `(N, F)`.
            greedy_rewards_per_func (`torch.Tensor` or `None`): Rewards of greedy completions, shape `(N, F)`.
            group_size (`int`): Number of completions per group.
        """
        rewards, greedy = weighted_rewards(rewards_per_func, self._weights), None
        if greedy_rewards_per_func is not None:
            greedy = weighted_rewards(greedy_rewards_per_func, self._weights)
            self._add_metric("baseline/greedy", torch.nanmean(greedy).item())
        advantages = sequence_advantages(rewards, group_size, self._args.baseline, self._args.scale_rewards, greedy)
        size = len(batch["advantages"])
        batch["advantages"] = local_rows(advantages, size, self._accelerator.process_index)

    def add_tokens(
        self, batch: dict[str, Any], token_rewards: TokenNumbers, token_weights: TokenNumbers, group_size: int
    ) -> torch.Tensor | None:
        """
        Add token rewards to the advantages, and multiply them by token weights.

        Args:
            batch (`dict`): Generation batch, with `advantages` of the shape `(B,)`; they become `(B, T)` if any process has
                token rewards or weights.
            token_rewards (`Mapping[int, Sequence]`): Token rewards of this process, see [`sum_of_token_rewards`].
            token_weights (`Mapping[int, Sequence]`): Token weights of this process, see [`product_of_token_weights`].
            group_size (`int`): Number of completions per group.

        Returns:
            `torch.Tensor` or `None`: The weighted sum of the token rewards of this process, `(B, T)`.

        Raises:
            ValueError: If the loss makes one decision per sequence.
        """
        args, accelerator, template = self._args, self._accelerator, batch["completion_ids"]
        token_deltas = sum_of_token_rewards(token_rewards, self._weights, template)
        token_factors = product_of_token_weights(token_weights, self._weights, template)
        # Processes decide together, because the code below makes collective calls.
        has_any = torch.tensor([[token_deltas is not None, token_factors is not None]], device=accelerator.device)
        has_deltas, has_factors = accelerator.gather(has_any).any(0).tolist()
        if has_deltas or has_factors:
            check_token_rewards(args.loss_type, args.off_policy_mask_threshold)
            mask = loss_mask(batch)
            deltas = torch.zeros_like(template, dtype=torch.float32) if token_deltas is None else token_deltas
            if args.center_token_rewards:
                means = group_means(accelerator.gather(means_over_tokens(deltas, mask)), group_size)
                deltas = deltas - local_rows(means, len(deltas), accelerator.process_index).unsqueeze(1)
            batch["advantages"] = (batch["advantages"].unsqueeze(1) + deltas) * batch["completion_mask"]
            self.add_token_mean("token_rewards/share", deltas != 0, mask)
            if has_factors:
                factors = torch.ones_like(deltas) if token_factors is None else token_factors
                batch["advantages"] = batch["advantages"] * factors
                self.add_token_mean("token_weights/mean", factors, mask)
        return token_deltas

    def informative_groups(
        self,
        batch: dict[str, Any],
        rewards_per_func: torch.Tensor,
        token_deltas: torch.Tensor | None,
        group_size: int,
    ) -> list[bool]:
        """
        Tell which groups of this process teach, see [`find_informative_groups`].

        Args:
            batch (`dict`): Generation batch, with its final `advantages`.
            rewards_per_func (`torch.Tensor`): Rewards, shape `(N, F)`.
            token_deltas (`torch.Tensor` or `None`): Result of `add_tokens`.
            group_size (`int`): Number of completions per group.

        Returns:
            `list[bool]`: One entry per group; empty if the completions of a group are on several processes.
        """
        size = len(batch["advantages"])
        if size % group_size:
            return []
        rewards = local_rows(weighted_rewards(rewards_per_func, self._weights), size, self._accelerator.process_index)
        return find_informative_groups(batch["advantages"], rewards, token_deltas, group_size, self._args.baseline)

    def add_token_mean(self, name: str, values: torch.Tensor, mask: torch.Tensor) -> None:
        """
        Log the mean over unmasked tokens, averaged over processes.

        Args:
            name (`str`): Name of the metric.
            values (`torch.Tensor`): Shape `(B, T)`.
            mask (`torch.Tensor`): Shape `(B, T)`.
        """
        mean = (values * mask).sum() / mask.sum().clamp(min=1)
        self._add_metric(name, self._accelerator.gather(mean).mean().item())
