"""Run reward functions while the next batch is generated, and keep token rewards."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from numbers import Real
from typing import Any

import torch

from ._trl import is_async_callable
from .baselines import GreedyCompletions
from .held_out import outcomes_of


_SHUTDOWN_SECONDS = 5.0


def _ignore(*args: Any, **kwargs: Any) -> None:
    pass


class RewardCalls:
    """
    Wrap reward functions so that TRL calls them through here.

    Args:
        functions (`list`): Reward functions, or reward models.
        names (`list[str]`): Their names.
        processing_class ([`~transformers.PreTrainedTokenizerBase`]): Passed to each function with such an argument.
        async_loop (`asyncio.AbstractEventLoop` or `None`): Loop of asynchronous functions.

    Attributes:
        wrapped (`list`): Functions that TRL calls.
        token_rewards (`dict[int, list]`): By function: for each completion, the reward of each token minus the reward of
            the sequence, or `None`.
        token_weights (`dict[int, list]`): By function: for each completion, the factor of the advantage of each token, or
            `None`.
        outcomes (`dict[int, list]`): By function: for each completion, the outcome of its program, or `None`.
        while_running (`Callable`, *optional*): Called once while the functions run.
        greedy (`tuple`, *optional*): Texts and ids of the greedy completions of the same prompts, which are graded too.
        seconds (`float`): Seconds that the last calls took.
        exposed_seconds (`float`): Seconds of them that the trainer waited for.
    """

    def __init__(self, functions: list[Any], names: list[str], processing_class: Any, async_loop: Any):
        self._names = names
        self._processing_class = processing_class
        self._async_loop = async_loop
        self._functions = {
            index: function for index, function in enumerate(functions) if not isinstance(function, torch.nn.Module)
        }
        self._takes_tokenizer = {
            index: _takes(function, "processing_class") for index, function in self._functions.items()
        }
        self._executor: ThreadPoolExecutor | None = None
        self._running: dict[tuple[int, bool], Future[list[Any]]] = {}
        self._is_started = False
        self.token_rewards: dict[int, list[list[float] | None]] = {}
        self.token_weights: dict[int, list[list[float] | None]] = {}
        self.outcomes: dict[int, list[Any]] = {}
        self.while_running: Callable[[], None] | None = None
        self.greedy: GreedyCompletions | None = None
        self.is_greedy_pass = False
        self.seconds = self.exposed_seconds = 0.0
        self.wrapped = [self._wrap(index) if index in self._functions else f for index, f in enumerate(functions)]

    def begin(self, greedy: GreedyCompletions | None) -> None:
        """Drop the results of the last batch, and start a batch with greedy completions."""
        self.greedy = greedy
        self.token_rewards.clear()
        self.token_weights.clear()
        self.outcomes.clear()
        self._running.clear()
        self._is_started = False
        self.seconds = self.exposed_seconds = 0.0

    @contextlib.contextmanager
    def replace_functions(self, trainer: Any) -> Iterator[None]:
        """Have a trainer call the wrapped functions."""
        # Only while TRL calls them: at other times `reward_funcs` has the functions that the user gave, as in TRL.
        own, trainer.reward_funcs = trainer.reward_funcs, self.wrapped
        try:
            yield
        finally:
            trainer.reward_funcs = own

    @contextlib.contextmanager
    def greedy_pass(self) -> Iterator[GreedyCompletions]:
        """Yield the greedy completions, which the functions grade in the meantime."""
        assert self.greedy is not None  # generated together with the sampled ones
        self.is_greedy_pass = True
        try:
            yield self.greedy
        finally:
            self.is_greedy_pass, self.greedy = False, None

    def close(self) -> None:
        """End the thread. It is started again on the next call."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    def _abandon(self) -> None:
        """Cancel pending calls, and give running ones up to 5 s."""
        for future in self._running.values():
            future.cancel()
        wait(self._running.values(), timeout=_SHUTDOWN_SECONDS)
        self._running.clear()

    def _wrap(self, index: int) -> Callable[..., list[Any]]:
        def call(**kwargs: Any) -> list[Any]:
            try:
                if not self._is_started:
                    self._start(kwargs)
                began = time.perf_counter()
                rewards = self._result(index, kwargs)
            except BaseException:
                self._abandon()
                raise
            self.exposed_seconds += time.perf_counter() - began
            # TRL refuses results with another number of rewards.
            if not self.is_greedy_pass and len(rewards) == len(kwargs["completion_ids"]):
                rows = list(enumerate(zip(rewards, kwargs["completion_ids"], strict=True)))
                name = self._names[index]
                self.outcomes[index] = outcomes_of(rewards)
                self.token_rewards[index] = [_token_deltas(name, row, reward, len(ids)) for row, (reward, ids) in rows]
                self.token_weights[index] = [
                    _token_weights(name, row, reward, len(ids)) for row, (reward, ids) in rows
                ]
            return rewards

        call.__name__ = self._names[index]
        return call

    def _start(self, kwargs: dict[str, Any]) -> None:
        """Start the functions that can run in the background, and call `while_running`."""
        self._is_started = True
        while_running, self.while_running = self.while_running, None
        for is_greedy in (False, True) if self.greedy is not None else (False,):
            for index, function in self._functions.items():
                if is_async_callable(function):
                    coroutine = self._awaited(index, self._arguments(index, kwargs, is_greedy))
                    self._running[index, is_greedy] = asyncio.run_coroutine_threadsafe(coroutine, self._async_loop)
                elif while_running is not None:
                    self._executor = self._executor or ThreadPoolExecutor(1, thread_name_prefix="rewards")
                    arguments = self._arguments(index, kwargs, is_greedy)
                    self._running[index, is_greedy] = self._executor.submit(self._called, index, arguments)
        if while_running is not None:
            while_running()

    def _result(self, index: int, kwargs: dict[str, Any]) -> list[Any]:
        future = self._running.pop((index, self.is_greedy_pass), None)
        return (
            self._called(index, self._arguments(index, kwargs, self.is_greedy_pass))
            if future is None
            else future.result()
        )

    def _arguments(self, index: int, kwargs: dict[str, Any], is_greedy: bool) -> dict[str, Any]:
        arguments = dict(kwargs)
        if self._takes_tokenizer[index]:
            arguments["processing_class"] = self._processing_class
        if is_greedy and self.greedy is not None:
            arguments["completions"], arguments["completion_ids"] = self.greedy
            # The logs are of the sampled completions only.
            arguments |= {"log_extra": _ignore, "log_metric": _ignore}
        return arguments

    def _called(self, index: int, arguments: dict[str, Any]) -> list[Any]:
        began = time.perf_counter()
        rewards = _listed(self._names[index], self._functions[index](**arguments))
        self.seconds += time.perf_counter() - began
        return rewards

    async def _awaited(self, index: int, arguments: dict[str, Any]) -> list[Any]:
        began = time.perf_counter()
        rewards = _listed(self._names[index], await self._functions[index](**arguments))
        self.seconds += time.perf_counter() - began
        return rewards


def _listed(name: str, rewards: Any) -> list[Any]:
    """Return the rewards of a batch as a list of numbers or `None`, or refuse them."""
    if isinstance(rewards, (str, bytes, Mapping)) or not isinstance(rewards, Iterable) or _is_number(rewards):
        raise ValueError(
            f"The reward function {name!r} returned a {type(rewards).__name__}, but must return a list with one number, "
            "`TokenReward` or `None` per completion."
        )
    listed = list(rewards)
    for row, reward in enumerate(listed):
        if reward is None or _is_number(reward):
            continue
        if isinstance(reward, (str, bytes, Mapping)) or not isinstance(reward, Iterable):
            remedy = "Return a number, or `None` for a completion that has no reward."
        else:
            remedy = (
                "Return one number per completion; for one per token, return `TokenReward(reward, tokens=[...])` with the "
                "reward of the completion and those of its tokens."
            )
        raise ValueError(
            f"The reward function {name!r} returned a {type(reward).__name__} for completion {row}, which is not a number. "
            f"{remedy}"
        )
    return listed


def _is_number(reward: Any) -> bool:
    # Also a tensor or an array without dimensions.
    return isinstance(reward, Real) or (hasattr(reward, "ndim") and reward.ndim == 0)


def _token_deltas(name: str, row: int, reward: Any, num_tokens: int) -> list[float] | None:
    """Return the reward of each token of a completion minus that of the sequence."""
    tokens = reward.tokens if hasattr(reward, "tokens") else None
    checked = _checked(name, row, reward, tokens, num_tokens, "`tokens`", "token rewards")
    return None if checked is None else [token - float(reward) for token in checked]


def _token_weights(name: str, row: int, reward: Any, num_tokens: int) -> list[float] | None:
    """Return the factor of the advantage of each token of a completion."""
    weights = reward.weights if hasattr(reward, "weights") else None
    return _checked(name, row, reward, weights, num_tokens, "`weights`", "token weights")


def _checked(
    name: str, row: int, reward: Any, values: Sequence[float] | None, num_tokens: int, field: str, kind: str
) -> list[float] | None:
    if values is None:
        return None
    if len(values) != num_tokens:
        raise ValueError(
            f"The reward function {name!r} returned {len(values)} {kind} for completion {row}, which has {num_tokens} tokens. "
            f"{field} needs one number for each of `completion_ids[{row}]`."
        )
    if math.isnan(reward):  # like `None`: TRL leaves the completion out
        return None
    numbers = [float(value) for value in values]
    if not all(map(math.isfinite, (reward, *numbers))):
        raise ValueError(
            f"The reward function {name!r} returned non-finite {kind} for completion {row}. Return `None` for a completion that "
            "has no reward."
        )
    return numbers


def _takes(function: Callable[..., Any], name: str) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(parameter.name == name or parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
