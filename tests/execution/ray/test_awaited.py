"""Reports of a cluster that are awaited and cancelled, and a runner that is sent to another process."""

import asyncio
import pickle
import time

import pytest
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.execution import Outcome, Program
from trl_rltf.rewards import AsyncUnitTestRewardFunction, UnitTestRewardFunction


pytestmark = pytest.mark.slow
GOOD = Program(SUM_PROGRAM, SUM_TESTS)


def test_rewards_are_awaited(ray_runner):
    function = AsyncUnitTestRewardFunction(UnitTestRewardFunction(ray_runner()))
    rewards = asyncio.run(function(completions=[SUM_PROGRAM, "print(3)"], tests=[SUM_TESTS] * 2))
    assert rewards == [1.0, 0.5]


def test_programs_of_a_cancelled_task_are_given_up(ray_runner):
    runner = ray_runner()
    runner.run([GOOD])
    sleepers = [Program(f"import time\ntime.sleep(60)  # {number}", SUM_TESTS) for number in range(30)]

    async def cancel():
        task = asyncio.ensure_future(asyncio.wrap_future(runner.submit(sleepers)))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    began = time.monotonic()
    assert runner.run([GOOD])[0].outcome is Outcome.PASS
    assert time.monotonic() - began < 15  # each of the three nodes has ten sleepers, which take three seconds each


def test_a_copy_connects_to_the_cluster(ray_runner):
    runner = ray_runner(num_cpus=0, num_workers=1)
    copy = pickle.loads(pickle.dumps(runner))
    assert copy.run([GOOD])[0].outcome is Outcome.PASS
    assert copy._pool is not runner._pool
    copy.close()
    assert runner.run([GOOD])[0].outcome is Outcome.PASS
