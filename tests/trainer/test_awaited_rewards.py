"""Rewards that are awaited train as the others do."""

import asyncio

import pytest
from support import history
from trl import GRPOConfig, GRPOTrainer

from trl_rltf import RLTFTrainer, UnitTestRewardFunction
from trl_rltf.rewards import AsyncUnitTestRewardFunction


KEPT = ("outcome/", "reward", "loss", "completions/", "grad_norm")


async def other(completions, **columns):
    await asyncio.sleep(0.1)
    return [0.25] * len(completions)


@pytest.mark.parametrize(
    ("trainer_class", "config"),
    [
        (GRPOTrainer, {"config_class": GRPOConfig}),
        (RLTFTrainer, {}),
        (RLTFTrainer, {"baseline": "greedy"}),
    ],
)
def test_trl_gathers_it_with_other_awaited_rewards(make_trainer, runner, problems, trainer_class, config):
    logs = []
    for wrap in (lambda function: function, AsyncUnitTestRewardFunction):
        reward = wrap(UnitTestRewardFunction(runner))
        trainer = make_trainer([reward, other], trainer_class=trainer_class, seed=3, **config)
        trainer.train()
        names = {name for row in trainer.state.log_history for name in row if name.startswith(KEPT)}
        logs.append({name: history(trainer, name) for name in sorted(names)})
        model = {name: value.clone() for name, value in trainer.model.state_dict().items()}
        logs[-1]["weights"] = [float(value.double().sum()) for value in model.values()]
    assert logs[0] == logs[1]
    assert logs[1]["rewards/other/mean"] == [0.25, 0.25]
    assert "outcome/syntax_error" in logs[1]
