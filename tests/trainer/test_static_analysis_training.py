"""Static analysis as a reward in trainers: per token in ours, a number in TRL's."""

import pytest
import torch
from support import Spy, by_length, history, snapshot
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from trl_rltf import OnlineBuffer, RLTFConfig, RLTFTrainer, UnitTestRewardFunction
from trl_rltf.rewards import StaticAnalysisReward


pytest.importorskip("ruff", reason="ruff is not installed")
scripted = pytest.mark.filterwarnings("ignore:You are using 'rollout_func'")

PROGRAMS = ["print(1)\n", "print(nope)\n", "x = 1\nprint(nope, other)\n", "print(1"]
REWARDS = [0, -0.1, -0.2, -0.5]


def programs_as_completions(tokenizer):
    """TRL's `rollout_func`, with programs that have known findings."""

    def rollout(prompts, trainer):
        ids = [tokenizer(PROGRAMS[index % 4])["input_ids"] for index in range(len(prompts))]
        return {
            "prompt_ids": [[3, 4, 5]] * len(prompts),
            "completion_ids": ids,
            "logprobs": [[-1.0] * len(one) for one in ids],
        }

    return rollout


@scripted
@pytest.mark.parametrize(
    ("trainer_class", "config_class"),
    [(RLTFTrainer, RLTFConfig), (GRPOTrainer, GRPOConfig)],
    ids=["RLTF", "GRPO"],
)
def test_known_programs_have_the_rewards_of_their_findings(make_trainer, tokenizer, trainer_class, config_class):
    trainer = make_trainer(
        StaticAnalysisReward(),
        trainer_class=trainer_class,
        config_class=config_class,
        rollout_func=programs_as_completions(tokenizer),
        max_completion_length=32,
    )
    before = snapshot(trainer.model)
    trainer.train()
    assert history(trainer, "reward") == pytest.approx([sum(REWARDS) / 4] * 2)
    assert history(trainer, "rewards/static_analysis_reward/mean") == pytest.approx([sum(REWARDS) / 4] * 2)
    assert history(trainer, "static_analysis/with_findings") == pytest.approx([0.75] * 2)
    assert history(trainer, "static_analysis/findings") == pytest.approx([1.0] * 2)
    assert history(trainer, "static_analysis/invalid_syntax") == pytest.approx([0.25] * 2)
    assert all(not torch.equal(before[name], value) for name, value in trainer.model.named_parameters())


@scripted
def test_the_tokens_of_findings_have_a_lower_advantage(make_trainer, tokenizer):
    trainer = make_trainer(
        StaticAnalysisReward(),
        rollout_func=programs_as_completions(tokenizer),
        max_completion_length=32,
        scale_rewards="none",
        max_steps=1,
        shuffle_dataset=False,
    )
    spy = Spy(trainer)
    trainer.train()
    (batch,) = spy.batches
    found = {}
    for ids, mask, advantages in zip(
        batch["completion_ids"], batch["completion_mask"], batch["advantages"], strict=True
    ):
        length = int(mask.sum())
        text = tokenizer.decode(ids[:length])
        marked = tokenizer.decode(
            [i for i, a in zip(ids[:length], advantages, strict=False) if a < advantages.max() - 0.05]
        )
        found[text] = (
            round(float(advantages[:length].max()), 4),
            round(float(advantages[:length].min()), 4),
            marked.split(),
        )
    # Minus the mean of the rewards, -0.2; the tokens of a finding have another -0.1.
    assert found["print(1)\n"] == (0.2, 0.2, [])
    assert found["print(nope)\n"] == (0.1, 0.0, ["nope"])
    assert found["x = 1\nprint(nope, other)\n"][:2] == (0.0, -0.1)
    assert found["print(1"][:2] == (-0.3, -0.4)


@pytest.mark.parametrize(
    ("trainer_class", "config_class", "settings"),
    [
        (RLTFTrainer, RLTFConfig, {}),
        (RLTFTrainer, RLTFConfig, {"max_generation_batches": 2}),
        (RLTFTrainer, RLTFConfig, {"callbacks": [OnlineBuffer(capacity=8, update_steps=1)]}),
        (RLTFTrainer, RLTFConfig, {"baseline": "greedy"}),
        (GRPOTrainer, GRPOConfig, {}),
        (RLOOTrainer, RLOOConfig, {"beta": 0.0}),
    ],
    ids=["RLTF", "dynamic sampling", "buffer", "greedy", "GRPO", "RLOO"],
)
def test_a_model_trains_with_unit_tests_and_static_analysis(
    make_trainer, runner, trainer_class, config_class, settings
):
    functions = [
        UnitTestRewardFunction(runner),
        StaticAnalysisReward(),
        by_length,
    ]  # the last one differs in any group
    trainer = make_trainer(functions, trainer_class=trainer_class, config_class=config_class, **settings)
    before = snapshot(trainer.model)
    trainer.train()
    assert len(history(trainer, "static_analysis/with_findings")) == 2
    assert len(history(trainer, "outcome/pass_ratio")) == 2
    assert all(-0.5 <= value <= 0 for value in history(trainer, "rewards/static_analysis_reward/mean"))
    assert all(not torch.equal(before[name], value) for name, value in trainer.model.named_parameters())


def test_prompts_may_be_conversations(make_trainer, problems, tokenizer):
    chat = problems.map(lambda row: {"prompt": [{"role": "user", "content": row["prompt"]}]})
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    try:
        trainer = make_trainer(StaticAnalysisReward(), dataset=chat, max_steps=1)
        trainer.train()
    finally:
        tokenizer.chat_template = None
    assert len(history(trainer, "static_analysis/findings")) == 1
