"""Call reward functions: keep the rewards of tokens, and grade in the background while the model generates."""

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
from trl.trainer.utils import is_async_callable

from .greedy_baseline import GreedyCompletions


_PATIENCE = 5.0  # seconds


def _ignore(*args: Any, **kwargs: Any) -> None:
    pass


class RewardCalls:
    """
    Stand between TRL and the reward functions.

    Args:
        functions (`list`): Reward functions, or reward models.
        names (`list[str]`): Their names.
        processing_class (`Any`): Given to each function that takes an argument `processing_class`.
        async_loop (`asyncio.AbstractEventLoop`, *optional*): Where asynchronous functions run.

    Attributes:
        wrapped (`list`): What TRL is to call instead.
        token_rewards (`dict[int, list]`): By function: what the tokens of each completion get on top of the sequence reward.
        token_weights (`dict[int, list]`): By function: the factors of the advantages of the tokens of each completion.
        meanwhile (`Callable`, *optional*): What to do while the functions run; it is called once.
        greedy (`tuple`, *optional*): Texts and ids of the greedy completions of the same prompts, to be graded as well.
        seconds (`float`), exposed_seconds (`float`): How long the last calls took, and how much of that was waited for.
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
        self.meanwhile: Callable[[], None] | None = None
        self.greedy: GreedyCompletions | None = None
        self.is_greedy_pass = False
        self.seconds = self.exposed_seconds = 0.0
        self.wrapped = [self._wrap(index) if index in self._functions else f for index, f in enumerate(functions)]

    def begin(self, greedy: GreedyCompletions | None) -> None:
        """Forget the last batch, and begin with one that has these greedy completions, if any."""
        self.greedy = greedy
        self.token_rewards.clear()
        self.token_weights.clear()
        self._running.clear()
        self._is_started = False
        self.seconds = self.exposed_seconds = 0.0

    @contextlib.contextmanager
    def greedy_pass(self) -> Iterator[GreedyCompletions]:
        """Give the greedy completions, and let the functions grade these for a while."""
        assert self.greedy is not None  # generated together with the sampled ones
        self.is_greedy_pass = True
        try:
            yield self.greedy
        finally:
            self.is_greedy_pass, self.greedy = False, None

    def close(self) -> None:
        """End the thread, which is started again when it is needed."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    def _abandon(self) -> None:
        """Training ends with an error: what has not begun is not begun, and what runs may come to its end."""
        for future in self._running.values():
            future.cancel()
        wait(self._running.values(), timeout=_PATIENCE)
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
            # If there is not one reward a completion, TRL says what is wrong.
            if not self.is_greedy_pass and len(rewards) == len(kwargs["completion_ids"]):
                rows = list(enumerate(zip(rewards, kwargs["completion_ids"], strict=True)))
                name = self._names[index]
                self.token_rewards[index] = [_extras(name, row, reward, len(ids)) for row, (reward, ids) in rows]
                self.token_weights[index] = [_weights(name, row, reward, len(ids)) for row, (reward, ids) in rows]
            return rewards

        call.__name__ = self._names[index]
        return call

    def _start(self, kwargs: dict[str, Any]) -> None:
        """Start what can run in the background, and do something else meanwhile."""
        self._is_started = True
        meanwhile, self.meanwhile = self.meanwhile, None
        for is_greedy in (False, True) if self.greedy is not None else (False,):
            for index, function in self._functions.items():
                if is_async_callable(function):
                    coroutine = self._awaited(index, self._arguments(index, kwargs, is_greedy))
                    self._running[index, is_greedy] = asyncio.run_coroutine_threadsafe(coroutine, self._async_loop)
                elif meanwhile is not None:
                    self._executor = self._executor or ThreadPoolExecutor(1, thread_name_prefix="rewards")
                    arguments = self._arguments(index, kwargs, is_greedy)
                    self._running[index, is_greedy] = self._executor.submit(self._called, index, arguments)
        if meanwhile is not None:
            meanwhile()

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
            # What reward functions say of greedy completions stays out of the record of the sampled ones.
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
    """The rewards of a batch as a list of numbers or `None`; anything else is refused here, and not deep inside torch."""
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
    # Also a tensor or an array without dimensions, as torch and numpy make them.
    return isinstance(reward, Real) or (hasattr(reward, "ndim") and reward.ndim == 0)


def _extras(name: str, row: int, reward: Any, num_tokens: int) -> list[float] | None:
    """What the tokens of one completion get on top of the reward of the sequence."""
    tokens = reward.tokens if hasattr(reward, "tokens") else None
    checked = _checked(name, row, reward, tokens, num_tokens, "`tokens`", "token rewards")
    return None if checked is None else [token - float(reward) for token in checked]


def _weights(name: str, row: int, reward: Any, num_tokens: int) -> list[float] | None:
    """The factors of the advantages of the tokens of one completion."""
    weights = reward.weights if hasattr(reward, "weights") else None
    return _checked(name, row, reward, weights, num_tokens, "`weights`", "token weights")


def _checked(
    name: str, row: int, reward: Any, values: Sequence[float] | None, num_tokens: int, field: str, what: str
) -> list[float] | None:
    if values is None:
        return None
    if len(values) != num_tokens:
        raise ValueError(
            f"The reward function {name!r} returned {len(values)} {what} for completion {row}, which has {num_tokens} tokens. "
            f"{field} needs one number for each of `completion_ids[{row}]`."
        )
    if math.isnan(reward):  # as `None`: TRL leaves the completion out
        return None
    numbers = [float(value) for value in values]
    if not all(map(math.isfinite, (reward, *numbers))):
        raise ValueError(
            f"The reward function {name!r} returned {what} that are no finite numbers for completion {row}. Return `None` for a "
            "completion that has no reward."
        )
    return numbers


def _takes(function: Callable[..., Any], name: str) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(parameter.name == name or parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
