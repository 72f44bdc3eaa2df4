"""Log pass@k of the evaluation set while a model is trained."""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from accelerate.utils import gather_object
from transformers import TrainerCallback
from transformers.trainer_utils import has_length

from ..metrics.held_out import HeldOutGroup, held_out_metrics
from ._trl import is_async_callable


logger = logging.getLogger(__name__)


class _Row(NamedTuple):
    problem: bytes
    difficulty: str
    outcomes: dict[int, Any]  # by reward function


def choose_eval_ks(ks: Sequence[int] | None, group_size: int) -> list[int]:
    """
    Choose the k of pass@k in evaluations.

    Args:
        ks (`Sequence[int]`, *optional*): The k. Without them, the powers of two below the group size, and the group size.
        group_size (`int`): Completions per prompt in an evaluation.

    Returns:
        `list[int]`: The k, in ascending order.

    Raises:
        ValueError: If one of them is not a whole number between 1 and the group size.
    """
    if ks is None:
        powers = (2**exponent for exponent in itertools.count())
        return [*itertools.takewhile(lambda power: power < group_size, powers), group_size]
    if isinstance(ks, (int, str)):
        raise ValueError(f"`eval_pass_at_k` is {ks!r}, but must be a list of numbers, such as [1, {group_size}].")
    for k in ks:
        if type(k) is not int or not 1 <= k <= group_size:
            raise ValueError(
                f"`eval_pass_at_k` has {k!r}, but each k must be a whole number from 1 to {group_size}, the completions per "
                "prompt in an evaluation. Leave it out, or raise `num_generations_eval`."
            )
    if not ks:
        raise ValueError("`eval_pass_at_k` is empty. Give numbers such as [1, 8], or None for the default.")
    return sorted(set(ks))


def check_best_metric(name: str | None, ks: Sequence[int]) -> None:
    """
    Refuse a `metric_for_best_model` that is a pass@k which is not logged.

    Args:
        name (`str`, *optional*): The metric.
        ks (`Sequence[int]`): The k of pass@k in evaluations.

    Raises:
        ValueError: If it is. The message has the names that are logged.
    """
    found = re.search(r"(?:^|_)pass@([^/]*)", name or "")
    if found and found[1] not in map(str, ks):
        logged = ", ".join(f"eval_pass@{k}" for k in ks)
        raise ValueError(
            f"`metric_for_best_model` is {name!r}, but evaluations log {logged}. Use one of them, or add the k to "
            "`eval_pass_at_k`."
        )


def outcomes_of(rewards: Iterable[Any]) -> list[Any]:
    """Return the outcome that each reward of a reward function has, or `None`."""
    return [reward.outcome if hasattr(reward, "outcome") else None for reward in rewards]


class HeldOut:
    """
    Collect the outcomes of an evaluation, and estimate pass@k from them.

    Args:
        group_size (`int`): Completions per prompt in an evaluation.
        ks (`Sequence[int]`, *optional*): The k of pass@k, see [`choose_eval_ks`].

    Raises:
        ValueError: If a k is out of range.
    """

    def __init__(self, group_size: int, ks: Sequence[int] | None = None):
        self.ks = choose_eval_ks(ks, group_size)
        self._group_size = group_size
        self._batches: list[list[_Row]] | None = None

    def run(
        self, loop: Callable[..., Any], averages: dict[str, Any], dataloader: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """
        Run an evaluation, and add its results to its metrics.

        Args:
            loop (`Callable`): `evaluation_loop` of the trainer.
            averages (`dict[str, Any]`): Averages over the batches. Those that are known exactly are removed.
            dataloader (`DataLoader`): The loader of the evaluation.
            *args, **kwargs: Other arguments of `evaluation_loop`.

        Returns:
            [`~transformers.trainer_utils.EvalLoopOutput`]: What `evaluation_loop` returned.
        """
        self.begin()
        try:
            output = loop(dataloader, *args, **kwargs)
            for name in self.finish(dataloader, output.metrics):
                averages.pop(name, None)
        finally:
            self._batches = None
        return output

    def begin(self) -> None:
        """Start an evaluation."""
        self._batches = []

    def add(
        self, prompts: Sequence[Any], rows: Sequence[Mapping[str, Any]], outcomes: Mapping[int, list[Any]]
    ) -> None:
        """
        Add a batch of this process, if an evaluation has started.

        Args:
            prompts (`Sequence`): Prompt of each completion.
            rows (`Sequence[Mapping]`): Row of each completion, which may have a `difficulty`.
            outcomes (`Mapping[int, list]`): By reward function: outcome of each completion, or `None`.
        """
        if self._batches is None:
            return
        self._batches.append(
            [
                _Row(
                    hashlib.blake2b(repr(prompt).encode("utf-8", "surrogatepass"), digest_size=16).digest(),
                    "" if row.get("difficulty") is None else str(row["difficulty"]),
                    {index: listed[number] for index, listed in outcomes.items()},
                )
                for number, (prompt, row) in enumerate(zip(prompts, rows, strict=True))
            ]
        )

    def finish(self, dataloader: Any, metrics: dict[str, Any]) -> dict[str, float]:
        """
        End an evaluation, and add its results to the metrics.

        All processes call it and get the same results.

        Args:
            dataloader (`DataLoader`): The loader of the evaluation.
            metrics (`dict[str, Any]`): Metrics of the evaluation. The prefix of the names is that of the loss in it.

        Returns:
            `dict[str, float]`: What was added, without the prefix; empty if no reward function gives outcomes.
        """
        batches, self._batches = self._batches or [], None
        processes = gather_object([batches])
        # A batch of all processes has the rows in the order of the sampler, which repeats each problem in a row.
        steps = [list(itertools.chain(*parts)) for parts in itertools.zip_longest(*processes, fillvalue=[])]
        rows = list(itertools.chain(*steps))
        graders = sorted({index for row in rows for index, outcome in row.outcomes.items() if outcome is not None})
        prefix = next((name.removesuffix("_loss") for name in metrics if name.endswith("_loss")), None)
        if not graders or prefix is None:
            return {}
        count = _num_rows(dataloader, steps, self._group_size, len(processes))
        starts = range(0, min(count, len(rows)), self._group_size)
        groups = [_group(rows[start : start + self._group_size], graders[0]) for start in starts]
        found = held_out_metrics(groups, self.ks)
        metrics.update({f"{prefix}_{name}": value for name, value in found.items()})
        return found


def _group(rows: Sequence[_Row], grader: int) -> HeldOutGroup:
    return HeldOutGroup([row.outcomes.get(grader) for row in rows], rows[0].difficulty)


def _num_rows(dataloader: Any, steps: list[list[_Row]], group_size: int, num_processes: int) -> int:
    """Return the number of rows without those that fill up the last batch."""
    if has_length(dataloader.dataset):
        return len(dataloader.dataset) * group_size
    total = sum(map(len, steps))
    if num_processes == 1:
        return total
    # A stream: the last batch is filled up with the first rows.
    first, last = ([row.problem for row in step[::group_size]] for step in (steps[0], steps[-1]))
    for kept in range(1, len(last)):
        source = first if len(steps) > 1 else last[:kept]
        if last[kept:] == list(itertools.islice(itertools.cycle(source), len(last) - kept)):
            return total - (len(last) - kept) * group_size
    return total


class PassAtKCallback(TrainerCallback):
    """
    Log held-out pass@k in TRL's own trainers.

    [`RLTFTrainer`] logs it without this callback. The values are in the logs, in the result of `evaluate()`, and for
    `metric_for_best_model`; see the page on logged metrics.

    Example:

    ```python
    trainer = GRPOTrainer(model, UnitTestRewardFunction(), args, train_dataset, eval_dataset)
    trainer.add_callback(PassAtKCallback(trainer))
    ```

    Args:
        trainer ([`~trl.GRPOTrainer`]): The trainer. Its reward functions are wrapped to read the outcomes of their rewards.
        ks (`Sequence[int]`, *optional*): The k of pass@k. Without them, the powers of two below `num_generations_eval`, and
            `num_generations_eval`.

    Raises:
        ValueError: If a k is above `num_generations_eval`, `metric_for_best_model` is another pass@k, or the trainer logs
            pass@k by itself.
    """

    def __init__(self, trainer: Any, ks: Sequence[int] | None = None):
        if hasattr(trainer, "held_out"):
            raise ValueError(
                f"`{type(trainer).__name__}` logs pass@k by itself. Leave the callback out, and set `eval_pass_at_k`."
            )
        self._trainer = trainer
        self._held_out = HeldOut(trainer.num_generations_eval, ks)
        check_best_metric(trainer.args.metric_for_best_model, self._held_out.ks)
        self._has_warned = False
        self._dataloader: Any = None
        self._prompts: Sequence[Any] = ()
        self._rows: list[dict[str, Any]] = []
        self._outcomes: dict[int, list[Any]] = {}
        trainer.reward_funcs = [
            function if isinstance(function, torch.nn.Module) else self._recorded(index, function)
            for index, function in enumerate(trainer.reward_funcs)
        ]

    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Keep the outcomes of a batch."""
        if kwargs["eval_dataloader"] is not self._dataloader:
            self._dataloader = kwargs["eval_dataloader"]
            self._held_out.begin()
            # Before the callbacks that report logs, so that they report the values which `on_log` adds.
            callbacks = self._trainer.callback_handler.callbacks
            callbacks.remove(self)
            callbacks.insert(0, self)
        self._held_out.add(self._prompts, self._rows, self._outcomes)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Add pass@k to the log of an evaluation."""
        if self._dataloader is not None and logs is not None:
            self._held_out.finish(self._dataloader, logs)
            if not self._has_warned and not any(name.startswith("eval_pass@") for name in logs):
                self._has_warned = True
                logger.warning(
                    "`PassAtKCallback` logs no pass@k: no reward function gave the outcomes of its programs. Use a "
                    "`UnitTestRewardFunction`, or another one that returns `TokenReward` with an `outcome`."
                )
            state.log_history[-1].update(logs)
            self._dataloader = None

    def on_predict(self, args: Any, state: Any, control: Any, metrics: Any, **kwargs: Any) -> None:
        """Forget the outcomes of a prediction, which is not logged."""
        self._dataloader = None

    def _recorded(self, index: int, function: Callable[..., Any]) -> Callable[..., Any]:
        def record(rewards: Iterable[Any], columns: dict[str, Any]) -> list[Any]:
            listed = list(rewards)
            self._prompts = columns["prompts"]
            levels = columns.get("difficulty", [None] * len(self._prompts))
            self._rows = [{"difficulty": level} for level in levels]
            self._outcomes[index] = outcomes_of(listed)
            return listed

        if is_async_callable(function):

            async def call_async(**columns: Any) -> list[Any]:
                return record(await function(**columns), columns)

            return call_async

        def call(**columns: Any) -> list[Any]:
            return record(function(**columns), columns)

        return call
