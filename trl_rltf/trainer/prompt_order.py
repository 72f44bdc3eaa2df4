"""Deal rows of the training set to processes, and keep their pass rates."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from datasets import Dataset

from .rltf_config import RLTFConfig
from .state_files import random_state, set_random_state


class PromptBatch(NamedTuple):
    """
    Rows to sample completions for.

    Args:
        rows (`list[dict]`): Rows of this process, each repeated for its completions.
        numbers (`list[int]`, *optional*): Row of the training set of each group, over all processes. Empty if the rows are
            from a data loader.
    """

    rows: list[dict[str, Any]]
    numbers: list[int] = []


class PassRates:
    """
    The share of passed completions of each row of the training set.

    Args:
        num_rows (`int`): Number of rows.
    """

    def __init__(self, num_rows: int):
        self._num_rows = num_rows
        self._last: dict[int, float] = {}  # pass rate of the last group
        self._counts: dict[int, tuple[int, int]] = {}  # passed and all completions

    def add(self, row: int, num_passed: int, num_completions: int) -> None:
        """
        Add a group of completions.

        Args:
            row (`int`): Row of the training set.
            num_passed (`int`): Completions that pass all tests.
            num_completions (`int`): Completions of the group.
        """
        passed, drawn = self._counts.get(row, (0, 0))
        self._counts[row] = passed + num_passed, drawn + num_completions
        self._last[row] = num_passed / num_completions

    def teaches_nothing(self, row: int) -> bool:
        """Whether all or none of the completions of the last group passed."""
        return self._last.get(row) in (0.0, 1.0)

    def metrics(self) -> dict[str, float]:
        """Numbers to log, over the rows with at least one group."""
        if not self._counts:
            return {}
        rates = [passed / drawn for passed, drawn in self._counts.values()]
        return {
            "prompts/seen": len(rates) / self._num_rows,
            "prompts/pass_rate": sum(rates) / len(rates),
            "prompts/always_passed": sum(rate == 1 for rate in rates) / len(rates),
            "prompts/never_passed": sum(rate == 0 for rate in rates) / len(rates),
        }

    def state(self) -> list[list[float]]:
        """
        Return the state as plain data.

        Each entry has a row, its passed and all completions, and the pass rate of its last group.
        """
        return [[row, *counts, self._last[row]] for row, counts in self._counts.items()]

    def restore(self, state: Iterable[Sequence[float]]) -> None:
        """Restore the result of [`PassRates.state`]."""
        self._counts = {int(row): (int(passed), int(drawn)) for row, passed, drawn, _ in state}
        self._last = {int(row): last for row, _, _, last in state}


class PromptOrder:
    """
    The order in which the rows of the training set are sampled from.

    All processes compute the same order, and each takes its share. Without a curriculum, it is the order of TRL's sampler.

    Args:
        dataset ([`~datasets.Dataset`]): Training set.
        make_sampler (`Callable`): Makes TRL's sampler of the training set, which gives the order of one epoch per iteration.
        args ([`RLTFConfig`]): Settings.
        process_index (`int`): Number of this process.
        num_processes (`int`): Number of processes.

    Attributes:
        pass_rates ([`PassRates`]): How often each row was solved.
        num_samples (`int`): Completions that were sampled for the rows, over all processes.
    """

    def __init__(
        self,
        dataset: Dataset,
        make_sampler: Callable[[], Iterable[int]],
        args: RLTFConfig,
        process_index: int,
        num_processes: int,
    ):
        self._dataset = dataset
        self._make_sampler = make_sampler
        self._args = args
        self._rank, self._num_processes = process_index, num_processes
        self._generator = torch.Generator()
        self.restart()

    def restart(self, state: dict[str, Any] | None = None) -> None:
        """Start with the first row, or with the state of an earlier order."""
        self._order = self._rows_without_end()
        self._generator.manual_seed(self._args.seed)
        self._position = self.num_samples = 0
        self.pass_rates = PassRates(len(self._dataset))
        if state is not None:
            self._position, self.num_samples = state["position"], state["num_samples"]
            self._order = itertools.islice(self._order, self._position, None)
            self.pass_rates.restore(state["pass_rates"])
            set_random_state(self._generator, state["random_state"])

    def state(self) -> dict[str, Any]:
        """State as plain data, the same on all processes."""
        return {
            "position": self._position,
            "num_samples": self.num_samples,
            "pass_rates": self.pass_rates.state(),
            "random_state": random_state(self._generator),
        }

    def take(self, num_groups: int) -> PromptBatch:
        """
        Take the next rows. All processes must take the same number.

        Args:
            num_groups (`int`): Groups of this process.

        Returns:
            [`PromptBatch`]: The rows.
        """
        numbers = [self._next() for _ in range(num_groups * self._num_processes)]
        self.num_samples += len(numbers) * self._args.num_generations
        own = numbers[self._rank * num_groups : (self._rank + 1) * num_groups]
        return PromptBatch([self._dataset[n] for n in own for _ in range(self._args.num_generations)], numbers)

    def _next(self) -> int:
        # One pass over the data at most is left out, so that a set without a useful row ends no run.
        for _ in range(len(self._dataset)):
            row = next(self._order)
            self._position += 1
            if self._comes_up(row):
                return row
        return row

    def _comes_up(self, row: int) -> bool:
        probability = self._args.curriculum_probability
        if probability == 1 or not self.pass_rates.teaches_nothing(row):
            return True
        return bool(torch.rand((), generator=self._generator) < probability)

    def _rows_without_end(self) -> Iterator[int]:
        sampler, args = self._make_sampler(), self._args
        # The sampler repeats each row for its completions, and each generation batch for its optimizer steps.
        size = args.generation_batch_size
        repeated = size * args.num_iterations * args.steps_per_generation
        while True:
            epoch = list(sampler)
            for start in range(0, len(epoch), repeated):
                yield from epoch[start : start + size : args.num_generations]


def make_prompt_order(trainer: Any) -> PromptOrder:
    """
    Make the order of the training set of a trainer.

    Args:
        trainer ([`RLTFTrainer`]): The trainer.
    """
    accelerator = trainer.accelerator
    return PromptOrder(
        trainer.train_dataset,
        trainer._get_train_sampler,
        trainer.args,
        accelerator.process_index,
        accelerator.num_processes,
    )
