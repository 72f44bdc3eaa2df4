"""A reward that is awaited: the same as the other, and the event loop is free while programs run."""

import asyncio
import pickle
import time
from collections import defaultdict

import pytest
from processes import busy_worker_pids, wait_until
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf import UnitTestRewardFunction
from trl_rltf.execution import LocalRunner, Outcome, Program, SandboxError
from trl_rltf.presets import paper_reward
from trl_rltf.rewards import AsyncUnitTestRewardFunction


SLEEPER = "import time\ntime.sleep(60)\n"
COMPLETIONS = [SUM_PROGRAM, "print(3)", "print(x)", "x = = 1"]


@pytest.fixture
def fresh(runner):
    """A runner for one test."""
    with LocalRunner(num_workers=2, timeout=2.0, isolation=runner.sandbox.name) as local:
        yield local


def batch(tokenizer, completions=COMPLETIONS):
    logged, metrics = {}, defaultdict(list)
    columns = {
        "prompts": ["Add."] * len(completions),
        "completions": completions,
        "completion_ids": [tokenizer(text)["input_ids"] for text in completions],
        "tests": [SUM_TESTS] * len(completions),
        "processing_class": tokenizer,
        "log_extra": logged.__setitem__,
        "log_metric": lambda name, value: metrics[name].append(value),
    }
    return columns, logged, metrics


@pytest.mark.parametrize("make", [UnitTestRewardFunction, paper_reward])
def test_rewards_metrics_and_columns_are_those_of_the_other_function(runner, tokenizer, make):
    results = []
    for function in (make(runner), AsyncUnitTestRewardFunction(make(runner))):
        columns, logged, metrics = batch(tokenizer)
        rewards = function(**columns)
        rewards = asyncio.run(rewards) if asyncio.iscoroutine(rewards) else rewards
        for name in [name for name in metrics if name.startswith("grading/") and "self" not in name]:
            assert len(metrics.pop(name)) == 1  # seconds
        results.append((rewards, [reward.tokens for reward in rewards], logged, dict(metrics)))
    assert results[0] == results[1]
    assert {reward.outcome for reward in results[1][0]} == set(Outcome) - {Outcome.NOT_GRADABLE}


def test_the_event_loop_is_free_while_programs_run(fresh, tokenizer):
    fresh.run([Program(SUM_PROGRAM, SUM_TESTS)])
    columns, *_ = batch(tokenizer, [f"import time\ntime.sleep(0.5)\n{SUM_PROGRAM}"])

    async def count():
        ticks = 0
        task = asyncio.create_task(AsyncUnitTestRewardFunction(UnitTestRewardFunction(fresh))(**columns))
        while not task.done():
            await asyncio.sleep(0.02)
            ticks += 1
        return ticks, await task

    ticks, rewards = asyncio.run(count())
    assert rewards == [1.0]
    assert ticks >= 10


def test_a_cancelled_task_gives_up_its_programs(fresh, tokenizer):
    columns, *_ = batch(tokenizer, [f"{SLEEPER}# {number}" for number in range(6)])

    async def cancel():
        task = asyncio.create_task(AsyncUnitTestRewardFunction(UnitTestRewardFunction(fresh))(**columns))
        while len(busy_worker_pids(fresh)) < 2:
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    began = time.monotonic()
    asyncio.run(cancel())
    assert fresh.run([Program(SUM_PROGRAM, SUM_TESTS)])[0].outcome is Outcome.PASS
    assert wait_until(lambda: not busy_worker_pids(fresh))
    assert time.monotonic() - began < 6  # a sleeper may run for as long, and there are three for each worker


def test_a_future_can_be_cancelled_until_it_is_done(fresh):
    future = fresh.submit([Program(SLEEPER, SUM_TESTS)])
    assert wait_until(lambda: busy_worker_pids(fresh))
    assert future.cancel()
    assert future.cancel()
    assert future.cancelled()
    assert wait_until(lambda: not busy_worker_pids(fresh))
    done = fresh.submit([Program(SUM_PROGRAM, SUM_TESTS)])
    assert done.result(timeout=20)[0].outcome is Outcome.PASS
    assert not done.cancel()


def test_a_failing_sandbox_is_raised_where_it_is_awaited(fresh, tokenizer, monkeypatch):
    def fails():
        raise OSError("no room")

    monkeypatch.setattr(fresh, "_start_worker", fails)
    columns, *_ = batch(tokenizer)
    with pytest.raises(SandboxError, match="no room"):
        asyncio.run(AsyncUnitTestRewardFunction(UnitTestRewardFunction(fresh))(**columns))


def test_malformed_tests_are_refused_when_they_are_awaited(runner, tokenizer):
    columns, *_ = batch(tokenizer)
    columns["tests"] = [*columns["tests"][:3], {"inputs": ["1"]}]
    function = AsyncUnitTestRewardFunction(UnitTestRewardFunction(runner))
    with pytest.raises(ValueError, match="row 3 of the batch, column `tests`"):
        asyncio.run(function(**columns))
    with pytest.raises(ValueError, match="no column `tests`"):
        asyncio.run(function(completions=COMPLETIONS))


def test_other_functions_and_runners_are_refused(runner):
    class Waits:
        def run(self, programs):
            return runner.run(programs)

    with pytest.raises(TypeError, match="The runner of `reward_function` is a Waits, but must have a method `submit`"):
        AsyncUnitTestRewardFunction(UnitTestRewardFunction(Waits()))
    with pytest.raises(TypeError, match="`reward_function` is a LocalRunner, but must be a `UnitTestRewardFunction`"):
        AsyncUnitTestRewardFunction(runner)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_function_can_be_sent_to_another_process(fresh, tokenizer, is_async):
    """TRL's asynchronous trainer sends reward functions to the process that generates."""
    fresh.run([Program(SUM_PROGRAM, SUM_TESTS)])  # it has workers, which the copy does not share
    function = UnitTestRewardFunction(fresh)
    copy = pickle.loads(pickle.dumps(AsyncUnitTestRewardFunction(function) if is_async else function))
    columns, *_ = batch(tokenizer)
    rewards = asyncio.run(copy(**columns)) if is_async else copy(**columns)
    own = copy.reward_function.runner if is_async else copy.runner
    assert own._pool is not fresh._pool
    assert own._limits == fresh._limits
    assert [float(reward) for reward in rewards] == [1.0, 0.5, 0.0, 0.0]
    own.close()
