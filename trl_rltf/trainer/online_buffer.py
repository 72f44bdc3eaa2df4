"""A queue of samples from recent weights that training draws its minibatches from."""

from __future__ import annotations

from collections import deque
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


# One scored completion without padding: `prompt_ids` `(P,)`, `completion_ids`, `completion_mask`, `advantages` and
# `old_per_token_logps` `(T,)`, and what else the trainer keeps.
Sample = dict[str, torch.Tensor]


class OnlineBuffer(TrainerCallback):
    """
    Train on a first-in-first-out queue of samples (the online buffer of the paper), instead of on each batch once.

    Every `update_steps` optimizer steps the current weights generate fresh samples, which push out as many of the oldest
    once the queue is full. Minibatches are drawn uniformly without replacement; when all samples have been drawn, they are
    shuffled again. Pass it to [`RLTFTrainer`] as a callback; without it, training is on-policy.

    Args:
        capacity (`int`, *optional*, defaults to `6400`):
            Number of samples kept, over all processes.
        update_steps (`int`, *optional*, defaults to `50`):
            Optimizer steps between two refreshes.
        samples_per_refresh (`int`, *optional*):
            Number of fresh samples of a refresh, over all processes; rounded up to whole generation batches. Defaults to
            as many as training draws until the next one, at most `capacity`.
        offline (`bool`, *optional*, defaults to `False`):
            Fill the queue to its capacity from the starting weights and never refresh it (the paper's ablation).
        skip_zero_variance (`bool`, *optional*, defaults to `False`):
            Leave out groups in which no token has an advantage, because all rewards are equal; `buffer/skipped` is their
            share. The rewards of such a group teach nothing, but it takes the place of one that does. Not in the paper.
        importance_sampling (`bool`, *optional*, defaults to `False`):
            Correct for the age of samples with TRL's clipped ratio of new to old probabilities. If `False`, old samples
            count like fresh ones, as in the paper.

    Raises:
        ValueError: If a number is below 1, or a refresh is larger than the queue.
    """

    def __init__(
        self,
        capacity: int = 6400,
        update_steps: int = 50,
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
            if value is not None and value < 1:
                raise ValueError(f"`{name}` of the online buffer is {value}, but must be at least 1.")
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
        """Start empty: samples of an earlier run are not from the current weights. A checkpoint is loaded later."""
        self._samples.clear()
        self._order.clear()
        self._generator.manual_seed(args.seed + args.process_index)
        self._num_processes = args.world_size
        self._refresh_is_due = True
        self.num_refreshes = 0

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Note when a refresh is due; the trainer makes it when it needs the next batch."""
        if not self.offline and state.global_step % self.update_steps == 0:
            self._refresh_is_due = True

    @property
    def refresh_is_due(self) -> bool:
        """Whether the next batch must wait for fresh samples."""
        return self._refresh_is_due

    def refresh_size(self, samples_per_step: int) -> int:
        """
        Number of samples that the next refresh adds on this process.

        Args:
            samples_per_step (`int`): Samples that an optimizer step draws on this process.
        """
        local_capacity = max(1, self.capacity // self._num_processes)
        if self.offline:
            return local_capacity
        if self.samples_per_refresh is not None:
            return max(1, self.samples_per_refresh // self._num_processes)
        return min(local_capacity, samples_per_step * self.update_steps)

    def add(self, samples: list[Sample], step: int) -> None:
        """
        Take fresh samples in and drop as many of the oldest as no longer fit.

        Args:
            samples (`list[Sample]`): Scored completions without padding.
            step (`int`): Optimizer step whose weights generated them.
        """
        local_capacity = max(1, self.capacity // self._num_processes)
        self._samples.extend((step, sample) for sample in samples)
        while len(self._samples) > local_capacity:
            self._samples.popleft()
        self._order.clear()  # positions have moved
        self._refresh_is_due = False

    def draw(self, count: int) -> list[tuple[int, Sample]]:
        """
        Draw samples uniformly without replacement, shuffling again when all have been drawn.

        Args:
            count (`int`): Number of samples.

        Returns:
            `list[tuple[int, Sample]]`: The step that each sample was generated at, and the sample.

        Raises:
            ValueError: If nothing has been added yet.
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
        """What this process holds, oldest first: the step that each sample was generated at, and the sample."""
        return list(self._samples)

    @property
    def settings(self) -> dict[str, Any]:
        """What has to be the same when training resumes from a checkpoint."""
        names = "capacity update_steps samples_per_refresh offline importance_sampling skip_zero_variance".split()
        return {name: getattr(self, name) for name in names}

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps beside the samples, as JSON can hold it."""
        return {
            "order": self._order,
            "random_state": random_state(self._generator),
            "num_refreshes": self.num_refreshes,
        }

    def restore(self, state: dict[str, Any], samples: list[tuple[int, Sample]], step: int) -> None:
        """
        Go on as if training had not been interrupted.

        Args:
            state (`dict`): What [`state`] gave.
            samples (`list[tuple[int, Sample]]`): What [`samples`] gave.
            step (`int`): Optimizer steps so far.
        """
        self._samples = deque(samples)
        self._order = list(state["order"])
        set_random_state(self._generator, state["random_state"])
        self.num_refreshes = state["num_refreshes"]
        self._refresh_is_due = not self.offline and step % self.update_steps == 0

    def mean_age(self, step: int) -> float:
        """Mean age of the samples in the queue, in optimizer steps."""
        return sum(step - born for born, _ in self._samples) / max(1, len(self._samples))


def random_state(generator: torch.Generator) -> str:
    """The state of a generator, as text."""
    return bytes(generator.get_state().tolist()).hex()


def set_random_state(generator: torch.Generator, state: str) -> None:
    """Put a generator into a state that [`random_state`] gave."""
    generator.set_state(torch.tensor(list(bytes.fromhex(state)), dtype=torch.uint8))
