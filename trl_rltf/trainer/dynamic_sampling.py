"""
Replace groups of completions that teach nothing by groups of other prompts.

This is the dynamic sampling of DAPO (arXiv 2503.14476, section 3.2).
"""

from __future__ import annotations

from typing import Any, Protocol

import torch

from .prompt_order import PromptOrder
from .reward_calls import RewardCalls
from .rltf_config import RLTFConfig
from .samples import Sample, join_samples, loss_mask, split_batch


Rows = list[dict[str, Any]]


class Scorer(Protocol):
    """
    The parts of a trainer that dynamic sampling needs.

    Attributes:
        informative_groups (`list[bool]`): For each group of this process in the last scored batch, whether it teaches.
        reward_calls ([`RewardCalls`]): The reward functions, with the outcomes of the last scored batch.
    """

    informative_groups: list[bool]
    reward_calls: RewardCalls

    def score(self, rows: Rows) -> dict[str, Any]:
        """Generate and score completions for these rows."""

    def add_metric(self, name: str, value: float) -> None:
        """Log a number."""

    def set_metric(self, name: str, value: float) -> None:
        """Log a number that counts since the start, without averaging it."""


class DynamicSampling:
    """
    Sample generation batches until each group of a batch teaches.

    Args:
        scorer ([`Scorer`]): Trainer that generates and scores.
        order ([`PromptOrder`]): Order of the prompts.
        args ([`RLTFConfig`]): Settings.
        accelerator ([`~accelerate.Accelerator`]): Accelerator of the trainer.
        pad_token_id (`int`): Id of the padding token.
    """

    def __init__(self, scorer: Scorer, order: PromptOrder, args: RLTFConfig, accelerator: Any, pad_token_id: int):
        self.order = order
        self._scorer = scorer
        self._args = args
        self._accelerator = accelerator
        self._pad_token_id = pad_token_id

    def next_batch(self) -> tuple[Rows, dict[str, Any]]:
        """
        Sample one generation batch.

        Groups that teach nothing fill it up if the limit of generation batches is reached.

        Returns:
            `tuple[list[dict], dict]`: The rows of this process, and their generation batch.
        """
        args, size = self._args, self._args.num_generations
        wanted = args.per_device_train_batch_size * args.steps_per_generation // size
        kept: list[tuple[Rows, list[Sample]]] = []
        dropped: list[tuple[Rows, list[Sample]]] = []
        batch: dict[str, Any] = {}
        num_missing = wanted
        for number in range(args.max_generation_batches):
            rows, batch, informative = self._score(num_missing)
            num_missing = self.most(wanted - len(kept) - sum(informative))
            if number == 0 and num_missing == 0:
                self._log(wanted, wanted, 0)
                return rows, batch
            samples = split_batch(_with_token_advantages(batch), self._pad_token_id)
            for group, is_informative in enumerate(informative):
                part = slice(group * size, (group + 1) * size)
                (kept if is_informative else dropped).append((rows[part], samples[part]))
            if num_missing == 0:
                break
        self._log(wanted, len(kept) + len(dropped), max(0, wanted - len(kept)))
        groups = [*kept, *dropped][:wanted]
        joined = join_samples(
            [sample for _, samples in groups for sample in samples], self._pad_token_id, self._accelerator.device
        )
        if batch["advantages"].dim() == 1:
            joined["advantages"] = joined["advantages"][:, 0]
        joined["num_items_in_batch"] = self._accelerator.gather(loss_mask(joined).sum()).sum()
        return [row for rows, _ in groups for row in rows], joined

    def _score(self, num_groups: int) -> tuple[Rows, dict[str, Any], list[bool]]:
        """
        Generate and score the next groups, and add them to the pass rates.

        Args:
            num_groups (`int`): Groups of this process, the same number on all processes.

        Returns:
            `tuple[list[dict], dict, list[bool]]`: The rows, their generation batch, and whether each group teaches.
        """
        prompts = self.order.take(num_groups)
        batch = self._scorer.score(prompts.rows)
        self.add_outcomes(prompts.numbers)
        return prompts.rows, batch, self._scorer.informative_groups

    def add_outcomes(self, numbers: list[int]) -> None:
        """
        Add the outcomes of the last scored batch to the pass rates of its rows.

        Args:
            numbers (`list[int]`): Row of each group, over all processes.

        Raises:
            ValueError: If there is a curriculum, and no reward function gives outcomes.
        """
        size, device = self._args.num_generations, self._accelerator.device
        by_function = self._scorer.reward_calls.outcomes.values()
        # The names of the outcomes, by the first reward function that gives one.
        names = [next((o.name for o in found if o is not None), None) for found in zip(*by_function, strict=True)]
        # All processes raise, or none: the others would wait for this one.
        if self._args.curriculum_probability < 1 and not self.most(sum(name is not None for name in names)):
            raise ValueError(
                f"`curriculum_probability` is {self._args.curriculum_probability}, but no reward function tells which "
                "completions pass. Use `UnitTestRewardFunction`, or return `TokenReward(..., outcome=...)`; 1.0 switches the "
                "curriculum off."
            )
        num_here = len(numbers) // self._accelerator.num_processes
        groups = [names[start : start + size] for start in range(0, num_here * size, size)]
        counts = [[group.count("PASS"), sum(n not in (None, "NOT_GRADABLE") for n in group)] for group in groups]
        gathered = self._accelerator.gather(torch.tensor(counts, device=device)).tolist()
        for number, (num_passed, num_graded) in zip(numbers, gathered, strict=True):
            if num_graded:
                self.order.pass_rates.add(number, num_passed, num_graded)
        for name, value in self.order.pass_rates.metrics().items():
            self._scorer.set_metric(name, value)
        self._scorer.set_metric("num_samples", float(self.order.num_samples))

    def most(self, number: int) -> int:
        """Return the largest of the numbers of all processes."""
        return int(self._accelerator.gather(torch.tensor([number], device=self._accelerator.device)).max())

    def _log(self, wanted: int, num_generated: int, num_unfilled: int) -> None:
        numbers = torch.tensor([[wanted, num_generated, num_unfilled]], device=self._accelerator.device)
        wanted, num_generated, num_unfilled = self._accelerator.gather(numbers).sum(0).tolist()
        self._scorer.add_metric("groups/generated", num_generated / wanted)
        self._scorer.add_metric("groups/unfilled", num_unfilled / wanted)


def _with_token_advantages(batch: dict[str, Any]) -> dict[str, Any]:
    """Give each token the advantage of its completion."""
    advantages, ids = batch["advantages"], batch["completion_ids"]
    if advantages.dim() == 2:
        return batch
    return {**batch, "advantages": advantages.unsqueeze(1).expand(ids.shape)}
