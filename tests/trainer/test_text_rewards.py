"""Rewards of parts of a text in real training runs: which advantage each token gets."""

import re
import runpy

import pytest
import torch
from source import ROOT
from support import Spy, by_length
from trl import GRPOConfig, GRPOTrainer

from trl_rltf import TokenReward


def advantages_of(trainer, function):
    """Advantages of the only batch, its mask, and the token rewards of its completions, which are shuffled."""
    spy = Spy(trainer)
    trainer.train()
    (batch,) = spy.batches
    rewards = [
        function.returned[tuple(ids[mask.bool()].tolist())]
        for ids, mask in zip(batch["completion_ids"], batch["completion_mask"], strict=True)
    ]
    return batch["advantages"], batch["completion_mask"], rewards


class Kept:
    """A reward function that gives a penalty to some characters, and keeps what it returned."""

    __name__ = "kept"

    def __init__(self, reward=0.0, value=-0.5):
        self.reward, self.value, self.returned = reward, value, {}

    def __call__(self, completions, completion_ids, processing_class, **columns):
        rewards = []
        for number, (text, ids) in enumerate(zip(completions, completion_ids, strict=True)):
            spans = [(*match.span(), self.value) for match in re.finditer("[a-e ]", text)]
            rewards.append(TokenReward.from_spans(self.reward * number, spans, text, ids, processing_class))
        self.returned |= {tuple(ids): reward for ids, reward in zip(completion_ids, rewards, strict=True)}
        return rewards


def padded(rows, length):
    return torch.tensor([[*row, *[0.0] * (length - len(row))] for row in rows])


def test_where_all_completions_have_the_reward_0_the_token_rewards_are_the_advantages(make_trainer):
    function = Kept()
    advantages, mask, returned = advantages_of(make_trainer(function, max_steps=1), function)
    expected = padded([reward.tokens for reward in returned], advantages.size(1))
    assert torch.equal(advantages, expected * mask)
    assert expected.ne(0).any()


def test_the_reward_of_the_completion_is_scaled_and_those_of_its_parts_are_not(make_trainer):
    function = Kept(reward=2.0)
    advantages, mask, returned = advantages_of(make_trainer(function, max_steps=1), function)
    rewards = torch.tensor(list(map(float, returned)))
    assert sorted(rewards.tolist()) == [0, 2, 4, 6]
    of_sequence = (rewards - 3) / (rewards.std() + 1e-4)
    of_parts = padded([[token - float(reward) for token in reward.tokens] for reward in returned], advantages.size(1))
    torch.testing.assert_close(advantages, (of_sequence.unsqueeze(1) + of_parts) * mask)


def test_a_weight_of_a_reward_function_counts_for_its_parts_too(make_trainer):
    function = Kept()
    trainer = make_trainer([function, by_length], max_steps=1, reward_weights=[0.1, 0.0])
    advantages, mask, returned = advantages_of(trainer, function)
    expected = padded([reward.tokens for reward in returned], advantages.size(1))
    torch.testing.assert_close(advantages, 0.1 * expected * mask)


def test_in_the_trainer_of_trl_the_same_function_rewards_whole_completions(make_trainer):
    function = Kept(reward=2.0)

    def plain(completions, completion_ids, **columns):
        return function(completions, completion_ids, processing_class=trainer.processing_class)

    trainer = make_trainer(plain, trainer_class=GRPOTrainer, config_class=GRPOConfig, max_steps=1)
    spy = Spy(trainer)
    trainer.train()
    assert spy.batches[0]["advantages"].dim() == 1


@pytest.mark.parametrize("loss_type", ["grpo", "bnpo", "dr_grpo", "dapo"])
def test_each_loss_that_has_an_advantage_per_token_takes_them(make_trainer, loss_type):
    trainer = make_trainer(Kept(), max_steps=1, loss_type=loss_type)
    trainer.train()
    assert trainer.state.log_history[0]["grad_norm"] > 0


def test_a_loss_with_one_advantage_per_sequence_refuses_them(make_trainer):
    with pytest.raises(ValueError, match="one decision per sequence"):
        make_trainer(Kept(), max_steps=1, loss_type="vespo").train()


@pytest.mark.slow
def test_a_model_without_training_learns_from_them(tmp_path, capsys):
    example = runpy.run_path(str(ROOT / "examples" / "custom_token_reward.py"))
    example["main"](example["Arguments"](output_dir=str(tmp_path), max_steps=30))
    shares = [float(share) for share in re.findall(r"'lower_case/share': '([0-9.]+)'", capsys.readouterr().out)]
    assert len(shares) == 30
    assert sum(shares[-3:]) / 3 > shares[0] + 0.2
