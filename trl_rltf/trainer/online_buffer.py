"""A queue of samples from recent weights, from which training draws its batches."""

from __future__ import annotations

from collections import deque
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from .samples import Sample
from .state_files import random_state, set_random_state


class OnlineBuffer(TrainerCallback):
    """
    Train on a first-in-first-out queue of samples, the paper's online buffer.

    Every `update_steps` optimizer steps, the current weights generate fresh samples, which replace the oldest ones once
    the queue is full. Minibatches are drawn uniformly without replacement; when all samples have been drawn, they are
    shuffled again. Pass it to [`RLTFTrainer`] as a callback; without it, training is on-policy.

    Args:
        capacity (`int`, *optional*, defaults to `6400`):
            Maximum number of samples, over all processes.
        update_steps (`int`, *optional*, defaults to `50`):
            Optimizer steps between two refreshes.
        samples_per_refresh (`int`, *optional*):
            Number of fresh samples per refresh, over all processes; rounded up to whole generation batches. Defaults to
            the number that training draws until the next refresh, at most `capacity`.
        offline (`bool`, *optional*, defaults to `False`):
            Fill the queue to its capacity from the starting weights and never refresh it (the paper's ablation).
        importance_sampling (`bool`, *optional*, defaults to `False`):
            Correct for the age of samples with TRL's clipped ratio of new to old probabilities. If `False`, old samples
            count like fresh ones, as in the paper.
        skip_zero_variance (`bool`, *optional*, defaults to `False`):
            Leave out groups in which no token has an advantage, because all rewards are equal; `buffer/skipped` is their
            share. The rewards of such a group teach nothing. Not in the paper.

    Raises:
        ValueError: If a number is below 1, or a refresh is larger than the queue.
    """

    def __init__(
        self,
        capacity: int = 6400,
        update_steps: int = 50,
        *,
        samples_per_refresh: int | None = None,
        offline: bool = False,
        importance_sampling: bool = False,
        skip_zero_variance: bool = False,
    ):
        for name, value in (
            ("capacity", capacity),
            ("update_steps", update_steps),
            ("samples_per_refresh", samples_per_refresh),
        ):
            if value is not None and (type(value) is not int or value < 1):
                raise ValueError(
                    f"`{name}` of the online buffer is {value!r}, but must be a whole number of at least 1."
                )
        if samples_per_refresh is not None and samples_per_refresh > capacity:
            raise ValueError(
                f"`samples_per_refresh` is {samples_per_refresh}, but the buffer holds only `capacity={capacity}` samples. "
                "Raise the capacity, or refresh with fewer samples."
            )
        self.capacity = capacity
        self.update_steps = update_steps
        self.samples_per_refresh = samples_per_refresh
        self.offline = offline
        self.importance_sampling = importance_sampling
        self.skip_zero_variance = skip_zero_variance
        self.num_refreshes = 0
        self._num_processes = 1
        self._samples: deque[tuple[int, Sample]] = deque()
        self._order: list[int] = []
        self._generator = torch.Generator()
        self._refresh_is_due = True

    def __len__(self) -> int:
        """Number of samples that this process holds."""
        return len(self._samples)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """
        Start with an empty queue.

        Samples of an earlier run are not from the current weights. A checkpoint is restored later.
        """
        self._samples.clear()
        self._order.clear()
        self._generator.manual_seed(args.seed + args.process_index)
        self._num_processes = args.world_size
        self._refresh_is_due = True
        self.num_refreshes = 0

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Mark a refresh as due. The trainer makes it before the next batch."""
        if not self.offline and state.global_step % self.update_steps == 0:
            self._refresh_is_due = True

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """
        Refuse a trainer that does not draw from the queue.

        Raises:
            ValueError: If the trainer is not an [`RLTFTrainer`].
        """
        if self.num_refreshes == 0:
            raise ValueError(
                "The trainer does not draw its batches from the `OnlineBuffer`: only `RLTFTrainer` does. Use that, or leave the "
                "callback out to train on-policy."
            )

    @property
    def refresh_is_due(self) -> bool:
        """Whether the next batch needs a refresh first."""
        return self._refresh_is_due

    def refresh_size(self, samples_per_step: int) -> int:
        """
        Return the number of samples that the next refresh adds on this process.

        Args:
            samples_per_step (`int`): Number of samples that an optimizer step draws on this process.
        """
        local_capacity = max(1, self.capacity // self._num_processes)
        if self.offline:
            return local_capacity
        if self.samples_per_refresh is not None:
            return max(1, self.samples_per_refresh // self._num_processes)
        return min(local_capacity, samples_per_step * self.update_steps)

    def add(self, samples: list[Sample], step: int) -> None:
        """
        Add fresh samples, and evict the oldest ones that no longer fit.

        Args:
            samples (`list[Sample]`): Scored completions without padding.
            step (`int`): Optimizer step whose weights generated the samples.
        """
        local_capacity = max(1, self.capacity // self._num_processes)
        self._samples.extend((step, sample) for sample in samples)
        while len(self._samples) > local_capacity:
            self._samples.popleft()
        self._order.clear()  # positions have moved
        self._refresh_is_due = False

    def draw(self, count: int) -> list[tuple[int, Sample]]:
        """
        Draw samples uniformly without replacement, and reshuffle when all are drawn.

        Args:
            count (`int`): Number of samples.

        Returns:
            `list[tuple[int, Sample]]`: Samples, each after the step at which it was generated.

        Raises:
            ValueError: If the buffer is empty.
        """
        if not self._samples:
            raise ValueError("The online buffer is empty: nothing has been generated yet.")
        drawn = []
        for _ in range(count):
            if not self._order:
                self._order = torch.randperm(len(self._samples), generator=self._generator).tolist()
            drawn.append(self._samples[self._order.pop()])
        return drawn

    @property
    def samples(self) -> list[tuple[int, Sample]]:
        """Samples of this process, oldest first, each after its optimizer step."""
        return list(self._samples)

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that must not change when training resumes from a checkpoint."""
        names = "capacity update_steps samples_per_refresh offline importance_sampling skip_zero_variance".split()
        return {name: getattr(self, name) for name in names}

    def state(self) -> dict[str, Any]:
        """State of the buffer without its samples, as plain data for JSON."""
        return {
            "order": self._order,
            "random_state": random_state(self._generator),
            "num_refreshes": self.num_refreshes,
        }

    def restore(self, state: dict[str, Any], samples: list[tuple[int, Sample]], step: int) -> None:
        """
        Restore the buffer of an interrupted run.

        Args:
            state (`dict`): Result of [`state`].
            samples (`list[tuple[int, Sample]]`): Value of [`samples`].
            step (`int`): Number of optimizer steps so far.
        """
        self._samples = deque(samples)
        self._order = list(state["order"])
        set_random_state(self._generator, state["random_state"])
        self.num_refreshes = state["num_refreshes"]
        self._refresh_is_due = not self.offline and step % self.update_steps == 0

    def mean_age(self, step: int) -> float:
        """Return the mean age of the samples in the queue, in optimizer steps."""
        return sum(step - born for born, _ in self._samples) / max(1, len(self._samples))
