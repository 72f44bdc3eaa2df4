"""Fill an online buffer from the current weights, and draw the batches of each optimizer step from it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from .online_buffer import OnlineBuffer, Sample
from .samples import join_samples, loss_mask, split_batch


if TYPE_CHECKING:
    from .rltf_trainer import RLTFTrainer


class BufferedBatches:
    """
    The way of samples through an online buffer.

    Args:
        trainer ([`RLTFTrainer`]): Who generates and scores.
        buffer ([`OnlineBuffer`]): Where samples wait.

    Attributes:
        num_generation_batches (`int`): Generation batches of prompts that have been taken so far.
    """

    def __init__(self, trainer: RLTFTrainer, buffer: OnlineBuffer):
        self._trainer = trainer
        self._buffer = buffer
        self._window: list[dict[str, Any]] = []  # batches of the optimizer step that runs
        self._prompts: Iterator[list[dict[str, Any]]] | None = None
        self.num_generation_batches = 0

    def restart(self, num_generation_batches: int = 0) -> None:
        """Begin with the first prompts, or after as many generation batches of them."""
        self._window.clear()
        self._prompts = None
        self.num_generation_batches = num_generation_batches

    def next(self) -> dict[str, Any]:
        """The next batch of training."""
        if self._buffer.refresh_is_due:
            self._window.clear()  # left over by a step that was interrupted
        if not self._window:
            if self._buffer.refresh_is_due or not len(self._buffer):
                self._refresh()
            self._window = self._draw_window()
        return self._window.pop(0)

    def _refresh(self) -> None:
        """Generate and score with the current weights, one generation batch at a time."""
        trainer, args = self._trainer, self._trainer.args
        wanted = self._buffer.refresh_size(args.per_device_train_batch_size * args.gradient_accumulation_steps)
        num_batches = -(-wanted // (args.per_device_train_batch_size * args.steps_per_generation))
        fresh: list[Sample] = []
        spare: list[Sample] = []  # for a refresh in which nothing is worth keeping
        num_generated = 0
        rows = self._next_prompts()
        try:
            for number in range(num_batches):
                following = self._next_prompts() if number + 1 < num_batches else None
                if following is not None:
                    trainer.generate_meanwhile(following)
                samples = self._samples_of(trainer.score(rows))
                num_generated += len(samples)
                fresh += self._worth_keeping(samples)
                spare = [] if fresh else spare + samples
                rows = following or []
        finally:
            trainer.forget_generated()
        trainer.add_metric("buffer/skipped", 1 - len(fresh) / num_generated)
        # With nothing at all to draw from, training could not go on.
        self._buffer.add(fresh if fresh or len(self._buffer) else spare, trainer.state.global_step)
        self._buffer.num_refreshes += 1

    def _next_prompts(self) -> list[dict[str, Any]]:
        # A data loader draws a seed for its workers: without this, a buffer would change what is sampled.
        random_state = torch.get_rng_state()
        if self._prompts is None:
            self._prompts = itertools.islice(self._generation_batches(), self.num_generation_batches, None)
        prompts = next(self._prompts)
        torch.set_rng_state(random_state)
        self.num_generation_batches += 1
        return prompts

    def _generation_batches(self) -> Iterator[list[dict[str, Any]]]:
        """Generation batches of prompts without end, in the order of TRL's own sampler."""
        trainer = self._trainer
        loader = trainer.get_train_dataloader()
        # How often the sampler repeats each batch.
        repeats = trainer.num_iterations * trainer.args.steps_per_generation
        is_empty = False
        while not is_empty:
            is_empty = True
            for batch in itertools.islice(loader, 0, None, repeats):
                is_empty = False
                yield batch
        raise ValueError(
            "The training set has ended and gives no more prompts, but the online buffer needs some. Use a stream that can be "
            "read again, or a data set with more rows."
        )

    def _samples_of(self, batch: dict[str, Any]) -> list[Sample]:
        """Take a generation batch apart into samples without padding, on the CPU."""
        if batch["advantages"].dim() == 1:
            batch["advantages"] = batch["advantages"].unsqueeze(1) * batch["completion_mask"]
        if "old_per_token_logps" not in batch:
            batch["old_per_token_logps"] = self._trainer.logps_of(batch)
        return split_batch(batch, self._trainer.tokenizer.pad_token_id)

    def _worth_keeping(self, samples: list[Sample]) -> list[Sample]:
        if not self._buffer.skip_zero_variance:
            return samples
        size = self._trainer.num_generations
        groups = [samples[start : start + size] for start in range(0, len(samples), size)]
        return [sample for group in groups if any(sample["advantages"].any() for sample in group) for sample in group]

    def _draw_window(self) -> list[dict[str, Any]]:
        """Draw the batches of one optimizer step and put the padding back."""
        trainer, buffer = self._trainer, self._buffer
        steps = trainer.current_gradient_accumulation_steps
        size = trainer.args.per_device_train_batch_size
        step, device = trainer.state.global_step, trainer.accelerator.device
        drawn = buffer.draw(steps * size)
        batches = [
            join_samples(
                [sample for _, sample in drawn[i * size : (i + 1) * size]], trainer.tokenizer.pad_token_id, device
            )
            for i in range(steps)
        ]
        size_here = torch.tensor(float(len(buffer)), device=device)
        trainer.add_metric("buffer/size", trainer.accelerator.reduce(size_here, "sum").item())
        trainer.add_metric("buffer/age", buffer.mean_age(step))
        trainer.add_metric("buffer/drawn_age", sum(step - born for born, _ in drawn) / len(drawn))
        trainer.add_metric("buffer/refreshes", float(buffer.num_refreshes))
        # TRL scales these counts down from a generation batch to one optimizer step; here they are of the step already.
        factor = trainer.args.steps_per_generation / steps
        masks = {"num_items_in_batch": [loss_mask(batch) for batch in batches]}
        if "reference_mask" in batches[0]:
            masks["num_reference_tokens"] = [batch["reference_mask"] for batch in batches]
        for name, mask_of in masks.items():
            num_items = torch.stack([mask.sum() for mask in mask_of]).sum()
            num_items = trainer.accelerator.gather(num_items).sum() * factor
            for batch in batches:
                batch[name] = num_items
        for batch in batches:
            if buffer.importance_sampling:
                batch["buffered_logps"] = batch["old_per_token_logps"]
            else:
                batch["buffered_logps"] = batch.pop("old_per_token_logps")
        return batches
