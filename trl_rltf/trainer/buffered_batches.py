"""Fill an online buffer from the current weights, and draw the batches of each optimizer step from it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from .online_buffer import OnlineBuffer, Sample
from .samples import join_samples, split_batch


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
        rows = self._next_prompts()
        for number in range(num_batches):
            following = self._next_prompts() if number + 1 < num_batches else None
            if following is not None:
                trainer.generate_meanwhile([row["prompt"] for row in following])
            fresh += self._samples_of(trainer.score(rows))
            rows = following or []
        trainer.add_metric("buffer/skipped", 1 - len(fresh) / max(1, self._num_generated))
        self._num_generated = 0
        self._buffer.add(fresh, trainer.state.global_step)
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
        repeats = (
            trainer.num_iterations * trainer.args.steps_per_generation
        )  # how often the sampler repeats each batch
        while True:
            yield from itertools.islice(loader, 0, None, repeats)

    _num_generated = 0

    def _samples_of(self, batch: dict[str, Any]) -> list[Sample]:
        """Take a generation batch apart into samples without padding, on the CPU."""
        if batch["advantages"].dim() == 1:
            batch["advantages"] = batch["advantages"].unsqueeze(1) * batch["completion_mask"]
        if "old_per_token_logps" not in batch:
            batch["old_per_token_logps"] = self._trainer.logps_of(batch)
        samples = split_batch(batch, self._trainer.tokenizer.pad_token_id)
        self._num_generated += len(samples)
        if not self._buffer.skip_zero_variance:
            return samples
        size = self._trainer.num_generations
        groups = [samples[start : start + size] for start in range(0, len(samples), size)]
        kept = [group for group in groups if any(sample["advantages"].any() for sample in group)]
        # With nothing at all to draw from, training could not go on.
        return [sample for group in (kept if kept or len(self._buffer) else groups) for sample in group]

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
        counts = {"num_items_in_batch": "completion_mask", "num_reference_tokens": "reference_mask"}
        for name, mask in counts.items():
            if mask in batches[0]:
                num_items = sum(batch[mask].sum() for batch in batches)
                num_items = trainer.accelerator.gather(num_items).sum() * factor
                for batch in batches:
                    batch[name] = num_items
        for batch in batches:
            if buffer.importance_sampling:
                batch["buffered_logps"] = batch["old_per_token_logps"]
            else:
                batch["buffered_logps"] = batch.pop("old_per_token_logps")
        return batches
