"""With plain rewards and without the buffer, losses and weights equal those of TRL for each of its features."""

import copy

import pytest
import torch
from datasets import IterableDataset
from support import by_length, snapshot
from transformers import AutoModelForCausalLM
from trl import GRPOConfig, GRPOTrainer


LOSS_TYPES = ("grpo", "dr_grpo", "dapo", "bnpo", "cispo", "sapo", "luspo", "vespo")
FEATURES = {
    **{f"loss {name}": {"loss_type": name} for name in LOSS_TYPES},
    "importance sampling of sequences": {
        "importance_sampling_level": "sequence",
        "steps_per_generation": 2,
        "per_device_train_batch_size": 2,
    },
    "several iterations": {"num_iterations": 2},
    "more steps than accumulation": {"steps_per_generation": 2, "per_device_train_batch_size": 2},
    "accumulation": {"gradient_accumulation_steps": 2, "per_device_train_batch_size": 2},
    "masked truncated completions": {"mask_truncated_completions": True},
    "rewards scaled by batch": {"scale_rewards": "batch"},
    "rewards not scaled": {"scale_rewards": "none"},
    "normalised then summed": {"multi_objective_aggregation": "normalize_then_sum"},
    "gradient checkpointing": {"gradient_checkpointing": True},
    "top entropy tokens only": {"top_entropy_quantile": 0.5},
    "off-policy mask": {"off_policy_mask_threshold": 0.5, "num_iterations": 2},
    "top-p and min-p": {"top_p": 0.9, "min_p": 0.01},
    "entropy bonus": {"entropy_coef": 0.01},
    "two-sided clipping": {"delta": 1.5, "num_iterations": 2},
    "no gradient clipping": {"max_grad_norm": 0.0},
    "an epoch": {"max_steps": -1, "num_train_epochs": 0.1},
}


def _none_for_some(completions, **columns):
    return [None if i % 3 == 0 else float(len(text)) for i, text in enumerate(completions)]


async def _async_reward(completions, **columns):
    return [len(text) / 10 for text in completions]


REWARDS = {
    "several with weights": ([by_length, _none_for_some], {"reward_weights": [0.3, 0.7]}),
    "None for some": (_none_for_some, {}),
    "None for all": (lambda completions, **columns: [None] * len(completions), {}),
    "async and another": ([_async_reward, by_length, _async_reward], {}),
}


def run(make_trainer, model, reward, is_ours, **settings):
    classes = {} if is_ours else {"trainer_class": GRPOTrainer, "config_class": GRPOConfig}
    trainer = make_trainer(reward, model_override=copy.deepcopy(model), **classes, **settings)
    trainer.train()
    kept = ("loss", "grad_norm", "entropy", "kl", "reward", "clip_ratio/region_mean", "eval_reward")
    history = [{key: row[key] for key in kept if key in row} for row in trainer.state.log_history]
    return history, snapshot(trainer.model)


def assert_equal(make_trainer, model, reward, own_settings=None, **settings):
    ours, our_weights = run(make_trainer, model, reward, is_ours=True, **settings, **(own_settings or {}))
    theirs, their_weights = run(make_trainer, model, reward, is_ours=False, **settings)
    assert len(ours) > 1
    assert str(ours) == str(theirs)  # as text, for nan is not equal to itself
    for name, weights in their_weights.items():
        assert torch.equal(our_weights[name], weights), name


@pytest.mark.parametrize("name", FEATURES)
def test_each_feature_of_trl_gives_the_same_losses_and_weights(make_trainer, model, name):
    assert_equal(make_trainer, model, by_length, **FEATURES[name])


def test_a_reference_model_gives_the_same(make_trainer, model, tmp_path):
    model.save_pretrained(tmp_path / "start")
    start = AutoModelForCausalLM.from_pretrained(tmp_path / "start")
    assert_equal(make_trainer, start, by_length, beta=0.1, max_steps=3)


@pytest.mark.parametrize("name", REWARDS)
def test_each_kind_of_reward_gives_the_same_losses_and_weights(make_trainer, model, name):
    reward, settings = REWARDS[name]
    assert_equal(make_trainer, model, reward, **settings)


def test_conversational_prompts_give_the_same(make_trainer, model, tokenizer, problems):
    chat = copy.deepcopy(tokenizer)
    chat.chat_template = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
    dataset = problems.map(lambda row: {"prompt": [{"role": "user", "content": row["prompt"]}]})

    def reward(completions, **columns):
        return [len(set(completion[0]["content"])) / 10 for completion in completions]

    assert_equal(make_trainer, model, reward, dataset=dataset, tokenizer_override=chat)


def test_a_stream_of_prompts_gives_the_same(make_trainer, model, problems):
    rows = problems.to_list()
    assert_equal(make_trainer, model, by_length, dataset=IterableDataset.from_generator(lambda: iter(rows)))


def test_lora_gives_the_same(make_trainer, model):
    from peft import LoraConfig

    config = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    assert_equal(make_trainer, model, by_length, peft_config=config, seed=7)


def test_evaluation_in_between_gives_the_same(make_trainer, model, problems):
    settings = {"eval_strategy": "steps", "eval_steps": 1, "per_device_eval_batch_size": 4, "max_steps": 2}
    assert_equal(make_trainer, model, by_length, eval_dataset=problems.select(range(4)), **settings)


def test_a_limit_that_no_prompt_reaches_gives_the_same(make_trainer, model):
    assert_equal(make_trainer, model, by_length, own_settings={"max_prompt_length": 500})


def test_completions_are_logged(make_trainer, model, tmp_path):
    assert_equal(make_trainer, model, by_length, log_completions=True)
    assert list((tmp_path / "out" / "completions").glob("*.parquet"))
