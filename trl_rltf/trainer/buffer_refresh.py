"""Fill an online buffer from the current weights, and draw batches from it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import torch
from tqdm.auto import tqdm

from .dynamic_sampling import DynamicSampling, Scorer
from .online_buffer import OnlineBuffer
from .prompt_order import PromptBatch, PromptOrder
from .rltf_config import RLTFConfig
from .samples import Sample, join_samples, loss_mask, reference_loss_mask, split_batch


Rows = list[dict[str, Any]]


class Rollouts(Scorer, Protocol):
    """
    The methods of a trainer that a refresh of the buffer needs.

    Attributes:
        state ([`~transformers.TrainerState`]): State of the trainer, with `global_step`.
        current_gradient_accumulation_steps (`int`): Number of batches of the current optimizer step.
    """

    state: Any
    current_gradient_accumulation_steps: int

    def get_train_dataloader(self) -> Iterable[Rows]:
        """Return a loader of the rows of the training set, in TRL's order."""

    def prefetch(self, rows: Rows) -> None:
        """Generate completions for the next rows while reward functions run."""

    def discard_prefetched(self) -> None:
        """Discard prefetched completions that were not used."""

    def add_references(self, rows: Rows, batch: dict[str, Any]) -> dict[str, Any]:
        """Add reference solutions to the generation batch of these rows."""

    def logps_of(self, batch: dict[str, Any]) -> torch.Tensor:
        """Return log-probs of the completions under the current weights, `(B, T)`."""


class BufferRefresh:
    """
    Refresh an online buffer when it is due, and draw the training batches.

    Args:
        rollouts ([`Rollouts`]): Trainer that generates and scores.
        buffer ([`OnlineBuffer`]): The buffer.
        args ([`RLTFConfig`]): Settings.
        accelerator ([`~accelerate.Accelerator`]): Accelerator of the trainer.
        pad_token_id (`int`): Id of the padding token.
        prompt_order ([`PromptOrder`], *optional*): Order of the prompts, if it is not that of TRL's data loader.

    Attributes:
        buffer ([`OnlineBuffer`]): The buffer.
        num_generation_batches (`int`): Number of generation batches of prompts taken so far.
    """

    def __init__(
        self,
        rollouts: Rollouts,
        buffer: OnlineBuffer,
        args: RLTFConfig,
        accelerator: Any,
        pad_token_id: int,
        prompt_order: PromptOrder | None = None,
    ):
        self._rollouts = rollouts
        self.buffer = buffer
        self._args = args
        self._accelerator = accelerator
        self._pad_token_id = pad_token_id
        self._dynamic_sampling: DynamicSampling | None = None
        if prompt_order is not None:
            self._dynamic_sampling = DynamicSampling(rollouts, prompt_order, args, accelerator, pad_token_id)
        self._window: list[dict[str, Any]] = []  # batches left of the current optimizer step
        self._prompts: Iterator[Rows] | None = None
        self.num_generation_batches = 0

    def restart(self, num_generation_batches: int = 0) -> None:
        """Start with the first prompts, or after this number of generation batches."""
        self._window.clear()
        self._prompts = None
        self.num_generation_batches = num_generation_batches

    def next_batch(self) -> dict[str, Any]:
        """Return the next training batch."""
        if self.buffer.refresh_is_due:
            self._window.clear()  # left over from an interrupted step
        if not self._window:
            if self.buffer.refresh_is_due or not len(self.buffer):
                self._refresh()
            self._window = self._draw_window()
        return self._window.pop(0)

    def _refresh(self) -> None:
        """Generate and score with the current weights, one generation batch at a time."""
        rollouts, args = self._rollouts, self._args
        wanted = self.buffer.refresh_size(args.per_device_train_batch_size * args.gradient_accumulation_steps)
        num_batches = -(-wanted // (args.per_device_train_batch_size * args.steps_per_generation))
        kept: list[Sample] = []
        skipped: list[Sample] = []  # for a refresh in which all samples are skipped
        num_generated = 0
        batch = self._next_prompts()
        hides = args.disable_tqdm or not self._accelerator.is_main_process
        progress = tqdm(total=wanted, desc="refresh of the buffer", unit="sample", leave=False, disable=hides)
        try:
            for number in range(1, num_batches * args.max_generation_batches + 1):
                following = self._next_prompts() if number < num_batches else None
                if following is not None:
                    rollouts.prefetch(following.rows)
                samples = self._samples_of(batch)
                num_generated += len(samples)
                progress.update(len(samples))
                kept += self._worth_keeping(samples)
                skipped = [] if kept else skipped + samples
                if following is None:
                    if number == num_batches * args.max_generation_batches or not self._is_short(wanted - len(kept)):
                        break
                    following = self._next_prompts()
                batch = following
        finally:
            progress.close()
            rollouts.discard_prefetched()
        rollouts.add_metric("buffer/skipped", 1 - len(kept) / num_generated)
        # Training cannot continue with an empty buffer, so a buffer that would stay empty takes the skipped samples.
        self.buffer.add(kept if kept or len(self.buffer) else skipped, rollouts.state.global_step)
        self.buffer.num_refreshes += 1

    def _next_prompts(self) -> PromptBatch:
        self.num_generation_batches += 1
        if self._dynamic_sampling is not None:
            size = self._args.per_device_train_batch_size * self._args.steps_per_generation
            return self._dynamic_sampling.order.take(size // self._args.num_generations)
        # A data loader draws a seed for its workers: without this, a buffer would change the sampled completions.
        random_state = torch.get_rng_state()
        if self._prompts is None:
            self._prompts = itertools.islice(self._generation_batches(), self.num_generation_batches - 1, None)
        rows = next(self._prompts)
        torch.set_rng_state(random_state)
        return PromptBatch(rows)

    def _generation_batches(self) -> Iterator[Rows]:
        """Yield generation batches of prompts without end, in the order of TRL's sampler."""
        loader = self._rollouts.get_train_dataloader()
        # The sampler repeats each batch this number of times.
        repeats = self._args.num_iterations * self._args.steps_per_generation
        is_empty = False
        while not is_empty:
            is_empty = True
            for batch in itertools.islice(loader, 0, None, repeats):
                is_empty = False
                yield batch
        raise ValueError(
            "The training set has ended and gives no more prompts, but the online buffer needs some. Use a stream that can be "
            "read again, or a dataset with more rows."
        )

    def _samples_of(self, prompts: PromptBatch) -> list[Sample]:
        """Generate and score completions, as samples without padding on the CPU."""
        rollouts = self._rollouts
        batch = rollouts.add_references(prompts.rows, rollouts.score(prompts.rows))
        if self._dynamic_sampling is not None:
            self._dynamic_sampling.add_outcomes(prompts.numbers)
        if batch["advantages"].dim() == 1:
            batch["advantages"] = batch["advantages"].unsqueeze(1) * batch["completion_mask"]
        if "old_per_token_logps" not in batch:
            batch["old_per_token_logps"] = rollouts.logps_of(batch)
        return split_batch(batch, self._pad_token_id)

    def _worth_keeping(self, samples: list[Sample]) -> list[Sample]:
        if not self.buffer.skip_zero_variance and self._args.max_generation_batches == 1:
            return samples
        size = self._args.num_generations
        groups = [samples[start : start + size] for start in range(0, len(samples), size)]
        return [sample for group in itertools.compress(groups, self._rollouts.informative_groups) for sample in group]

    def _is_short(self, num_missing: int) -> bool:
        """Whether any process lacks samples."""
        assert self._dynamic_sampling is not None
        return self._dynamic_sampling.most(num_missing) > 0

    def _draw_window(self) -> list[dict[str, Any]]:
        """Draw the batches of one optimizer step and pad them."""
        rollouts, buffer, accelerator = self._rollouts, self.buffer, self._accelerator
        num_batches = rollouts.current_gradient_accumulation_steps
        size = self._args.per_device_train_batch_size
        step, device = rollouts.state.global_step, accelerator.device
        drawn = buffer.draw(num_batches * size)
        batches = [
            join_samples([sample for _, sample in drawn[i * size : (i + 1) * size]], self._pad_token_id, device)
            for i in range(num_batches)
        ]
        size_here = torch.tensor(float(len(buffer)), device=device)
        rollouts.add_metric("buffer/size", accelerator.reduce(size_here, "sum").item())
        rollouts.add_metric("buffer/age", buffer.mean_age(step))
        rollouts.add_metric("buffer/drawn_age", sum(step - born for born, _ in drawn) / len(drawn))
        rollouts.add_metric("buffer/refreshes", float(buffer.num_refreshes))
        self._set_counts(batches)
        for batch in batches:
            if buffer.importance_sampling:
                batch["buffered_logps"] = batch["old_per_token_logps"]
            else:
                batch["buffered_logps"] = batch.pop("old_per_token_logps")
        return batches

    def _set_counts(self, batches: list[dict[str, Any]]) -> None:
        """Set the numbers of tokens by which the losses of these batches are divided."""
        # TRL scales these counts down from a generation batch to an optimizer step; here they are of a step already.
        factor = self._args.steps_per_generation / len(batches)
        masks = {"num_items_in_batch": [loss_mask(batch) for batch in batches]}
        if "reference_mask" in batches[0]:
            masks["num_reference_tokens"] = [reference_loss_mask(batch) for batch in batches]
        for name, masks_of_name in masks.items():
            num_tokens = torch.stack([mask.sum() for mask in masks_of_name]).sum()
            num_tokens = self._accelerator.gather(num_tokens).sum() * factor
            for batch in batches:
                batch[name] = num_tokens
