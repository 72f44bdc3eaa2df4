"""Reward completions by unit tests while other reward functions are awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Protocol, runtime_checkable

from ..execution import ExecutionReport, Program
from .token_reward import TokenReward
from .unit_tests import UnitTestRewardFunction, finish


@runtime_checkable
class _Submits(Protocol):
    def submit(self, programs: Sequence[Program]) -> Future[list[ExecutionReport]]: ...


class AsyncUnitTestRewardFunction:
    """
    A [`UnitTestRewardFunction`] that is awaited.

    TRL runs it together with other asynchronous reward functions. Rewards, metrics and columns are those of the function that it
    wraps. The event loop is free while programs are graded. If the task is cancelled, the programs that are left are given up.

    Example:

    ```python
    from trl_rltf.presets import paper_reward
    from trl_rltf.rewards import AsyncUnitTestRewardFunction

    reward = AsyncUnitTestRewardFunction(paper_reward())
    ```

    Args:
        reward_function ([`UnitTestRewardFunction`], *optional*):
            The function to await. Its runner needs a method `submit`, as [`~execution.LocalRunner`] and
            [`~execution.ray.RayRunner`] have it. Defaults to `UnitTestRewardFunction()`.

    Raises:
        TypeError: If the function is of another type, or its runner has no method `submit`.
        ValueError: If the user did not opt in to running model-written code, for the default function.
    """

    __name__ = "unit_test_reward"

    def __init__(self, reward_function: UnitTestRewardFunction | None = None):
        reward_function = UnitTestRewardFunction() if reward_function is None else reward_function
        if not isinstance(reward_function, UnitTestRewardFunction):
            raise TypeError(
                f"`reward_function` is a {type(reward_function).__name__}, but must be a `UnitTestRewardFunction`. Pass one, such as "
                "`paper_reward()`, or leave it out."
            )
        if not isinstance(reward_function.runner, _Submits):
            raise TypeError(
                f"The runner of `reward_function` is a {type(reward_function.runner).__name__}, but must have a method `submit` that "
                "returns a `concurrent.futures.Future` of the reports. Add it, or pass the reward function itself to the trainer."
            )
        self.reward_function = reward_function
        self._runner = reward_function.runner

    @property
    def needs_whole_groups(self) -> bool:
        """Whether rewards are comparable only among completions of the same call."""
        return self.reward_function.needs_whole_groups

    async def __call__(self, **columns: Any) -> list[TokenReward | None]:
        """
        Reward completions.

        Args:
            **columns: As for a call of [`UnitTestRewardFunction`].

        Returns:
            `list[TokenReward | None]`: One entry per completion; `None` if the sandbox failed, so that TRL leaves it out.

        Raises:
            ValueError: As [`UnitTestRewardFunction`] does.
            SandboxError: If no worker starts.
        """
        # In threads, because finding the programs and their tokens takes time too.
        steps = self.reward_function._steps(**columns)
        reports = self._runner.submit(await asyncio.to_thread(next, steps))
        return await asyncio.to_thread(finish, steps, await asyncio.wrap_future(reports))

    def check_dataset(self, dataset: Any) -> None:
        """
        Check a dataset before training starts, see [`UnitTestRewardFunction`].

        Args:
            dataset ([`~datasets.Dataset`]): Training or evaluation set.

        Raises:
            ValueError: If there is no column `tests`, or an entry of it is malformed. The message names the row.
        """
        self.reward_function.check_dataset(dataset)
