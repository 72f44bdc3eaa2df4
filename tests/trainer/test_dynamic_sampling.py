"""Groups that teach nothing are replaced, and the batch stays what it would be."""

import copy

import pytest
import torch
from datasets import IterableDataset
from support import Spy, by_length, history, snapshot

from trl_rltf import OnlineBuffer, TokenReward
from trl_rltf.execution import Outcome
from trl_rltf.trainer.advantages import find_informative_groups


NAN = float("nan")
TWO_GROUPS = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2, "num_generations": 4}


class Solve:
    """Give the completions of solved prompts the reward 1, and those of other prompts different rewards."""

    __name__ = "solve"

    def __init__(self, is_solved):
        self.is_solved = is_solved
        self.prompts = []

    def __call__(self, prompts, completion_ids, **columns):
        self.prompts += prompts[::4]
        rewards = []
        for i, (prompt, ids) in enumerate(zip(prompts, completion_ids, strict=True)):
            outcome = Outcome.PASS if self.is_solved(prompt) else Outcome.FAILURE
            reward = 1.0 if outcome is Outcome.PASS else i % 4 / 4
            rewards.append(TokenReward(reward, [reward] * len(ids), None, outcome))
        return rewards


def at_even_rows(problems):
    """A function that tells whether a prompt is at an even row."""
    even = set(problems["prompt"][::2])
    return lambda prompt: prompt in even


# ---------------------------------------------------------------------- which groups teach


@pytest.mark.parametrize(
    ("rewards", "advantages", "baseline", "expected"),
    [
        ([1, 1, 0, 1], [0, 0, -1, 1], "group_mean", [False, True]),
        ([0.3, 0.3, 0.3, 0.4], [3e-4, 3e-4, -0.7, 0.7], "group_mean", [False, True]),  # a rounding error of the mean
        ([1, 1, 1, 1], [1, 1, 1, 1], "none", [True, True]),  # without a baseline, equal rewards push too
        ([0, 0, 1, 1], [0, 0, 1, 1], "none", [False, True]),
        ([NAN, 1, NAN, NAN], [0, 0, 0, 0], "group_mean", [False, False]),
        ([NAN, 1, 0, 1], [0, 0, -1, 1], "leave_one_out", [False, True]),
    ],
)
def test_a_group_teaches_if_its_rewards_differ(rewards, advantages, baseline, expected):
    advantages, rewards = torch.tensor(advantages, dtype=torch.float), torch.tensor(rewards, dtype=torch.float)
    assert find_informative_groups(advantages, rewards, None, 2, baseline) == expected


def test_a_group_teaches_if_only_its_tokens_differ():
    advantages = torch.tensor([[0.0, 0.0], [0.0, -0.5], [0.0, 0.0], [0.0, 0.0]])
    deltas = torch.tensor([[0.0, 0.0], [0.0, -0.5], [0.0, 0.0], [0.0, 0.0]])
    assert find_informative_groups(advantages, torch.ones(4), deltas, 2, "group_mean") == [True, False]


# ---------------------------------------------------------------------- on-policy batches


def test_groups_without_a_signal_are_replaced(make_trainer, problems):
    """Every other prompt is solved. A batch of two groups has one of them dropped, then a refill of one group, and so on."""
    reward = Solve(at_even_rows(problems))
    trainer = make_trainer(reward, **TWO_GROUPS, max_generation_batches=8, shuffle_dataset=False, max_steps=2)
    spy = Spy(trainer)
    trainer.train()
    # Rows 0 (solved) and 1, then 2 (solved), then 3; the second step draws 4 (solved) and 5, then 6 (solved), then 7.
    assert reward.prompts == problems["prompt"][:8]
    assert history(trainer, "groups/generated") == [2.0, 2.0]
    assert history(trainer, "groups/unfilled") == [0.0, 0.0]
    assert history(trainer, "num_samples") == [16, 32]
    assert sum(len(batch["advantages"]) for batch in spy.batches) == 16
    trained = [
        trainer.processing_class.decode(ids[mask.bool()])
        for batch in spy.batches
        for ids, mask in zip(batch["prompt_ids"], batch["prompt_mask"], strict=True)
    ]
    assert sorted(trained) == sorted(problems["prompt"][row] for row in (1, 3, 5, 7) for _ in range(4))


def test_a_batch_that_stays_short_is_filled_with_the_dropped_groups(make_trainer):
    trainer = make_trainer(Solve(lambda prompt: True), **TWO_GROUPS, max_generation_batches=3, max_steps=1)
    spy = Spy(trainer)
    trainer.train()
    assert history(trainer, "groups/generated") == [3.0]
    assert history(trainer, "groups/unfilled") == [1.0]
    assert sum(len(batch["advantages"]) for batch in spy.batches) == 8


def test_tokens_are_counted_over_the_batch_that_is_trained(make_trainer, problems):
    trainer = make_trainer(Solve(at_even_rows(problems)), **TWO_GROUPS, max_generation_batches=4, max_steps=2)
    spy = Spy(trainer)
    trainer.train()
    for start in (0, 2):
        step = spy.batches[start : start + 2]
        total = sum(batch["completion_mask"].sum() for batch in step)
        assert all(batch["num_items_in_batch"] == total for batch in step)


@pytest.mark.parametrize("settings", [{}, {"num_iterations": 2, "steps_per_generation": 4}])
def test_a_run_in_which_no_group_is_dropped_is_the_run_without(make_trainer, model, settings):
    finals = []
    for limit in (1, 4):
        settings = {**TWO_GROUPS, **settings, "max_generation_batches": limit, "max_steps": 4}
        trainer = make_trainer(Solve(lambda prompt: False), **settings, model_override=copy.deepcopy(model))
        trainer.train()
        finals.append(snapshot(trainer.model))
    assert all(torch.equal(finals[0][name], value) for name, value in finals[1].items())


def test_a_group_whose_tokens_differ_is_kept(make_trainer):
    def reward(completion_ids, **columns):
        return [TokenReward(1.0, [1.0 - i % 4, *[1.0] * (len(ids) - 1)]) for i, ids in enumerate(completion_ids)]

    trainer = make_trainer(reward, **TWO_GROUPS, max_generation_batches=4, max_steps=1)
    trainer.train()
    assert history(trainer, "groups/generated") == [1.0]


@pytest.mark.parametrize("settings", [{}, {"curriculum_probability": 0.3}, {"ce_loss_weight": 0.5}])
def test_a_run_with_refills_resumes_exactly(make_trainer, model, problems, tmp_path, settings):
    common = {
        **TWO_GROUPS,
        **settings,
        "max_generation_batches": 4,
        "save_strategy": "steps",
        "save_steps": 2,
        "max_steps": 4,
    }
    whole = make_trainer(Solve(at_even_rows(problems)), **common, model_override=copy.deepcopy(model))
    whole.train()
    resumed = make_trainer(Solve(at_even_rows(problems)), **common, model_override=copy.deepcopy(model))
    resumed.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-2"))
    expected, found = snapshot(whole.model), snapshot(resumed.model)
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert history(resumed, "num_samples") == history(whole, "num_samples")


# ---------------------------------------------------------------------- an online buffer


def test_a_refresh_samples_until_it_has_the_groups_that_it_needs(make_trainer, problems):
    reward = Solve(at_even_rows(problems))
    buffer = OnlineBuffer(16, 2)
    trainer = make_trainer(
        reward, [buffer], **TWO_GROUPS, max_generation_batches=4, shuffle_dataset=False, max_steps=1
    )
    spy = Spy(trainer)
    trainer.train()
    # A refresh for 2 steps of 2 groups needs 4 groups. Each generation batch has 2, of which one is dropped.
    assert reward.prompts == problems["prompt"][:8]
    assert history(trainer, "buffer/size") == [16.0]
    assert history(trainer, "buffer/skipped") == [0.5]
    advantages = torch.cat([batch["advantages"][:, 0] for batch in spy.batches])
    assert (advantages != 0).float().mean() > 0.5


# ---------------------------------------------------------------------- refusals


def test_a_stream_is_refused(make_trainer, problems):
    stream = IterableDataset.from_generator(lambda: iter(problems))
    with pytest.raises(ValueError, match=r"need a `datasets\.Dataset`"):
        make_trainer(by_length, dataset=stream, max_generation_batches=2)


def test_a_curriculum_needs_outcomes(make_trainer):
    trainer = make_trainer(by_length, curriculum_probability=0.5)
    with pytest.raises(ValueError, match="no reward function tells which completions pass"):
        trainer.train()
