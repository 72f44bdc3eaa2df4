"""Call reward functions: keep the rewards of tokens, and grade in the background while the model generates."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from trl.trainer.utils import is_async_callable


def _ignore(*args: Any, **kwargs: Any) -> None:
    pass


class RewardCalls:
    """
    Stand between TRL and the reward functions.

    Args:
        functions (`list`): Reward functions, or reward models.
        names (`list[str]`): Their names.
        processing_class (`Any`): Given to each function as `processing_class`.
        async_loop (`asyncio.AbstractEventLoop`, *optional*): Where asynchronous functions run.

    Attributes:
        wrapped (`list`): What TRL is to call instead.
        token_rewards (`dict[int, list]`): By function: what the tokens of each completion get on top of the sequence reward.
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
        self._executor: ThreadPoolExecutor | None = None
        self._running: dict[tuple[int, bool], Future[list[Any]]] = {}
        self._is_started = False
        self.token_rewards: dict[int, list[list[float] | None]] = {}
        self.meanwhile: Callable[[], None] | None = None
        self.greedy: tuple[list[Any], list[list[int]]] | None = None
        self.is_greedy_pass = False
        self.seconds = self.exposed_seconds = 0.0
        self.wrapped = [self._wrap(index) if index in self._functions else f for index, f in enumerate(functions)]

    def begin(self) -> None:
        """Forget the last batch."""
        self.token_rewards.clear()
        self._running.clear()
        self._is_started = False
        self.seconds = self.exposed_seconds = 0.0

    def _wrap(self, index: int) -> Callable[..., list[Any]]:
        def call(**kwargs: Any) -> list[Any]:
            if not self._is_started:
                self._start(kwargs)
            began = time.perf_counter()
            rewards = self._result(index, kwargs)
            self.exposed_seconds += time.perf_counter() - began
            if not self.is_greedy_pass and len(rewards) == len(
                kwargs["completion_ids"]
            ):  # else TRL says what is wrong
                self.token_rewards[index] = [
                    self._checked_tokens(self._names[index], row, reward, ids)
                    for row, (reward, ids) in enumerate(zip(rewards, kwargs["completion_ids"], strict=True))
                ]
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
                    coroutine = self._awaited(index, self._arguments(kwargs, is_greedy))
                    self._running[index, is_greedy] = asyncio.run_coroutine_threadsafe(coroutine, self._async_loop)
                elif meanwhile is not None:
                    self._executor = self._executor or ThreadPoolExecutor(1, thread_name_prefix="rewards")
                    arguments = self._arguments(kwargs, is_greedy)
                    self._running[index, is_greedy] = self._executor.submit(self._called, index, arguments)
        if meanwhile is not None:
            meanwhile()

    def _result(self, index: int, kwargs: dict[str, Any]) -> list[Any]:
        future = self._running.pop((index, self.is_greedy_pass), None)
        return self._called(index, self._arguments(kwargs, self.is_greedy_pass)) if future is None else future.result()

    def _arguments(self, kwargs: dict[str, Any], is_greedy: bool) -> dict[str, Any]:
        arguments = {**kwargs, "processing_class": self._processing_class}
        if is_greedy and self.greedy is not None:
            arguments["completions"], arguments["completion_ids"] = self.greedy
            # What reward functions say of greedy completions stays out of the record of the sampled ones.
            arguments |= {"log_extra": _ignore, "log_metric": _ignore}
        return arguments

    def _called(self, index: int, arguments: dict[str, Any]) -> list[Any]:
        began = time.perf_counter()
        rewards = list(self._functions[index](**arguments))
        self.seconds += time.perf_counter() - began
        return rewards

    async def _awaited(self, index: int, arguments: dict[str, Any]) -> list[Any]:
        began = time.perf_counter()
        rewards = list(await self._functions[index](**arguments))
        self.seconds += time.perf_counter() - began
        return rewards

    @staticmethod
    def _checked_tokens(name: str, row: int, reward: Any, token_ids: Sequence[int]) -> list[float] | None:
        """What the tokens of one completion get on top of the reward of the sequence."""
        tokens = reward.tokens if hasattr(reward, "tokens") else None
        if tokens is None:
            return None
        if len(tokens) != len(token_ids):
            raise ValueError(
                f"The reward function {name!r} returned {len(tokens)} token rewards for completion {row}, which has "
                f"{len(token_ids)} tokens. `tokens` needs one number for each of `completion_ids[{row}]`."
            )
        return [float(token) - float(reward) for token in tokens]
