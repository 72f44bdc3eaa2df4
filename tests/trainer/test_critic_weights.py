"""Token weights and the critic, in real training runs."""

import copy

import pytest
import torch
from support import by_length, gradients_of_log_probs, history
from trl import GRPOConfig, GRPOTrainer

from trl_rltf import CriticRewardFunction, OnlineBuffer, TokenReward, UnitTestRewardFunction
from trl_rltf.critic import Critic, CriticOutput
from trl_rltf.critic.model import LABELS, encode_program
from trl_rltf.mini import make_mini_critic
from trl_rltf.presets import paper_reward


@pytest.fixture
def batches(monkeypatch):
    """Batches that go into the loss of any trainer."""
    seen = []
    original = GRPOTrainer._compute_loss

    def compute_loss(self, model, inputs):
        seen.append({key: value.clone() for key, value in inputs.items() if torch.is_tensor(value)})
        return original(self, model, inputs)

    monkeypatch.setattr(GRPOTrainer, "_compute_loss", compute_loss)
    return seen


class Certain(Critic):
    """A critic whose every probability is exactly 1."""

    def __init__(self, tokenizer):
        self.processing_class = tokenizer

    def __call__(self, prompts, completions):
        ranges = [encode_program(self.processing_class, "", text, None).ranges for text in completions]
        return [_Sure(torch.zeros(len(row), len(LABELS)), row) for row in ranges]


class _Sure(CriticOutput):
    def at_tokens(self, ranges, outcome):
        return [1.0] * len(ranges)


def test_two_tokens_of_one_completion_get_gradients_in_the_ratio_of_their_weights(make_trainer):
    def reward(completion_ids, **columns):
        return [TokenReward(1.0, [1.0] * len(ids), [1.0, 0.25, *[0.0] * (len(ids) - 2)]) for ids in completion_ids]

    trainer = make_trainer(
        reward, max_steps=1, loss_type="grpo", baseline="none", generation_kwargs={"min_new_tokens": 4}
    )
    gradients = gradients_of_log_probs(trainer)
    trainer.train()
    (gradient,) = gradients
    assert torch.all(gradient[:, 0] < 0)
    torch.testing.assert_close(gradient[:, 1], 0.25 * gradient[:, 0])
    assert torch.all(gradient[:, 2:] == 0)


def test_a_critic_that_is_certain_changes_nothing_to_the_last_bit(make_trainer, model, runner, tokenizer):
    plain = UnitTestRewardFunction(runner)
    losses, weights = [], []
    for function in (plain, CriticRewardFunction(plain, Certain(tokenizer))):
        trainer = make_trainer(function, model_override=copy.deepcopy(model), baseline="none")
        trainer.train()
        losses.append(history(trainer, "loss"))
        weights.append([value.detach().clone() for value in trainer.model.parameters()])
    assert losses[0] == losses[1]
    assert all(map(torch.equal, *weights))


def test_the_advantage_is_reward_minus_baseline_times_weight(make_trainer, batches):
    """Four completions with the rewards 0, 1, 2, 5 and a penalty on their first token; group mean 2."""

    def reward(completion_ids, **columns):
        return [
            TokenReward(value, [value - 0.3, *[value] * (len(ids) - 1)], [0.5, *[0.1 * value] * (len(ids) - 1)])
            for value, ids in zip((0.0, 1.0, 2.0, 5.0), completion_ids, strict=True)
        ]

    trainer = make_trainer(reward, scale_rewards="none", max_steps=1, generation_kwargs={"min_new_tokens": 4})
    trainer.train()
    (batch,) = batches
    found = sorted(batch["advantages"][:, :2].tolist())
    expected = sorted([(r - 2.0 - 0.3) * 0.5, (r - 2.0) * 0.1 * r] for r in (0.0, 1.0, 2.0, 5.0))
    assert found == [pytest.approx(row, abs=1e-6) for row in expected]


def test_with_the_greedy_baseline_only_sampled_completions_are_weighed(make_trainer, batches):
    calls = []

    def reward(completion_ids, **columns):
        calls.append(completion_ids)
        value, weight = (3.0, 0.5) if len(calls) == 1 else (1.0, 99.0)
        return [TokenReward(value, [value] * len(ids), [weight] * len(ids)) for ids in completion_ids]

    make_trainer(reward, baseline="greedy", scale_rewards="none", max_steps=1).train()
    assert len(calls) == 2
    mask = batches[0]["completion_mask"].bool()
    assert batches[0]["advantages"][mask].tolist() == pytest.approx([(3.0 - 1.0) * 0.5] * int(mask.sum()))


def test_a_real_critic_weighs_the_rewards_of_unit_tests(make_trainer, batches, runner, tokenizer, problems):
    critic = Critic(make_mini_critic(tokenizer, hidden_size=32, num_layers=1), tokenizer)
    plain = paper_reward(runner)
    trainer = make_trainer(CriticRewardFunction(plain, critic), baseline="none", scale_rewards="none", max_steps=1)
    source = "a = 1\nb = undefined\nc = 3\n"
    ids = tokenizer(source)["input_ids"]
    trainer._generate_single_turn = lambda prompts, *rest, **kw: ([list(ids) for _ in prompts], None)
    trainer.train()
    batch = batches[0]
    prompt = tokenizer.decode(batch["prompt_ids"][0][batch["prompt_mask"][0].bool()])
    (output,) = critic([prompt], [source])
    weights = output.logits.softmax(-1)[:-1, LABELS.index("RUNTIME_ERROR")]
    (reward,) = plain([""], [source], [ids], [problems[0]["tests"]], processing_class=tokenizer)
    assert sorted({round(value, 4) for value in reward.tokens}) == [-0.9, -0.6]
    torch.testing.assert_close(batch["advantages"][0], torch.tensor(reward.tokens) * weights, rtol=1e-4, atol=1e-5)
    assert history(trainer, "token_weights/mean")[0] == pytest.approx(weights.mean().item(), abs=1e-5)
    assert 0 <= history(trainer, "critic/accuracy")[0] <= 1


def test_weights_of_several_functions_multiply_unless_one_is_only_watched(make_trainer, batches):
    def weigh(factor):
        def reward(completion_ids, **columns):
            return [TokenReward(1.0, [1.0] * len(ids), [factor] * len(ids)) for ids in completion_ids]

        return reward

    functions = [by_length, weigh(0.5), weigh(0.5), weigh(9.0)]
    trainer = make_trainer(
        functions, reward_weights=[0.0, 0.5, 0.5, 0.0], baseline="none", scale_rewards="none", max_steps=1
    )
    trainer.train()
    mask = batches[0]["completion_mask"].bool()
    assert batches[0]["advantages"][mask].tolist() == pytest.approx([0.25] * int(mask.sum()))


def test_centered_token_rewards_are_centered_before_they_are_weighed(make_trainer, batches):
    def reward(completion_ids, **columns):
        return [
            TokenReward(0.0, [-0.4 * (i == 0)] * len(ids), [0.5] * len(ids)) for i, ids in enumerate(completion_ids)
        ]

    make_trainer(reward, center_token_rewards=True, max_steps=1).train()
    assert sorted(batches[0]["advantages"][:, 0].tolist()) == pytest.approx([-0.15, 0.05, 0.05, 0.05])


def test_the_online_buffer_keeps_weighed_advantages(make_trainer, batches):
    def reward(completion_ids, **columns):
        return [TokenReward(1.0, [1.0] * len(ids), [(t % 2) / 2 for t in range(len(ids))]) for ids in completion_ids]

    make_trainer(
        reward,
        callbacks=[OnlineBuffer(capacity=16, update_steps=2)],
        baseline="none",
        scale_rewards="none",
        max_steps=3,
    ).train()
    assert len(batches) == 3
    for batch in batches:
        expected = torch.tensor([(t % 2) / 2 for t in range(batch["advantages"].size(1))])
        torch.testing.assert_close(batch["advantages"], expected * batch["completion_mask"])


def test_a_completion_without_weights_or_reward_counts_as_before(make_trainer, batches):
    def reward(completion_ids, **columns):
        rewards = [TokenReward(1.0, [1.0] * len(ids)) for ids in completion_ids]
        rewards[0] = None
        rewards[1] = TokenReward(1.0, rewards[1].tokens, [0.5] * len(rewards[1].tokens))
        rewards[2] = 1.0
        return rewards

    make_trainer(reward, baseline="none", scale_rewards="none", max_steps=1).train()
    assert sorted(batches[0]["advantages"][:, 0].tolist()) == [0.0, 0.5, 1.0, 1.0]


def test_the_critic_works_in_an_unmodified_grpo_trainer(make_trainer, runner, tokenizer):
    function = CriticRewardFunction(UnitTestRewardFunction(runner), Certain(tokenizer))
    trainer = make_trainer(function, trainer_class=GRPOTrainer, config_class=GRPOConfig, max_steps=1)
    trainer.train()
    assert -1.0 <= history(trainer, "rewards/unit_test_reward/mean")[0] <= 1.0


@pytest.mark.parametrize("settings", [{"loss_type": "vespo"}, {"off_policy_mask_threshold": 0.5}])
def test_weights_are_refused_where_one_advantage_decides(make_trainer, settings):
    class Weighed(float):
        weights = None

    def reward(completion_ids, **columns):
        rewards = [Weighed(1.0) for _ in completion_ids]
        for entry, ids in zip(rewards, completion_ids, strict=True):
            entry.weights = [0.5] * len(ids)
        return rewards

    with pytest.raises(ValueError, match="one decision per sequence"):
        make_trainer(reward, **settings).train()
