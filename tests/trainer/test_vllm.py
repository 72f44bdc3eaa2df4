"""Training through TRL's vLLM path, with a stand-in for the engine."""

import os

import pytest
import torch
import vllm_stand_in
from support import Spy, by_length, history, snapshot
from transformers import AutoModelForCausalLM
from trl.generation import vllm_generation

from trl_rltf import OnlineBuffer, TokenReward


VLLM = {"use_vllm": True, "vllm_mode": "colocate"}


@pytest.fixture
def start(monkeypatch, model, tmp_path):
    """Save a model in a folder for the engine to load, and replace the engine by the stand-in."""
    monkeypatch.setattr(vllm_generation, "LLM", vllm_stand_in.LLM, raising=False)
    monkeypatch.setattr(vllm_generation, "SamplingParams", vllm_stand_in.SamplingParams, raising=False)
    monkeypatch.setattr(vllm_generation, "is_vllm_available", lambda: True)
    model.save_pretrained(tmp_path / "start")
    before = dict(os.environ)
    yield AutoModelForCausalLM.from_pretrained(tmp_path / "start")
    # TRL sets the variables of a distributed run for the engine; other tests must not find them.
    os.environ.clear()
    os.environ.update(before)


def falling(completions, completion_ids, **columns):
    """Rewards that differ between completions, and from token to token."""
    return [
        TokenReward(reward, [reward - 0.1 * t for t in range(len(ids))])
        for reward, ids in zip(by_length(completions), completion_ids, strict=True)
    ]


def engine(trainer):
    return trainer.vllm_generation.llm


def test_a_trainer_with_vllm_trains_on_token_rewards_and_the_buffer(make_trainer, start):
    buffer = OnlineBuffer(capacity=16, update_steps=2)
    trainer = make_trainer(falling, callbacks=[buffer], model_override=start, max_steps=4, **VLLM)
    before = snapshot(trainer.model)
    spy = Spy(trainer)
    trainer.train()
    assert [name for name, value in trainer.model.named_parameters() if torch.equal(value, before[name])] == []
    assert all(batch["advantages"].dim() == 2 for batch in spy.batches)
    assert all("importance_sampling_ratio" in batch for batch in spy.batches)
    # Two refreshes, at steps 0 and 2, each with the weights of its step.
    assert engine(trainer).num_loaded == 2 * len(list(start.parameters()))
    assert history(trainer, "buffer/refreshes")[-1] == 2


def test_the_engine_samples_from_the_weights_of_each_step(make_trainer, start):
    """Otherwise, the log-probs of the engine would differ from those of the trainer."""
    trainer = make_trainer(falling, model_override=start, max_steps=3, learning_rate=0.05, **VLLM)
    trainer.train()
    differences = history(trainer, "sampling/sampling_logp_difference/max")
    assert len(differences) == 3
    assert max(differences) < 1e-4
    ratios = history(trainer, "sampling/importance_sampling_ratio/mean")
    assert ratios == pytest.approx([1.0] * 3, abs=1e-3)


def test_the_engine_gets_prompts_of_the_length_that_is_allowed(make_trainer, start):
    trainer = make_trainer(by_length, model_override=start, max_steps=1, max_prompt_length=5, **VLLM)
    trainer.train()
    assert {len(ids) for ids in engine(trainer).prompts} == {5}


def test_evaluation_and_lora_go_through_the_engine(make_trainer, start, problems):
    from peft import LoraConfig

    trainer = make_trainer(
        falling,
        model_override=start,
        peft_config=LoraConfig(r=4, target_modules=["q_proj", "v_proj"]),
        per_device_eval_batch_size=4,
        eval_dataset=problems.select(range(2)),
        **VLLM,
    )
    trainer.train()
    trained = len(engine(trainer).prompts)
    assert "eval_reward" in trainer.evaluate()
    assert len(engine(trainer).prompts) - trained == 8


def test_a_run_resumes_with_the_weights_of_its_checkpoint_in_the_engine(make_trainer, start, tmp_path):
    def make(**settings):
        buffer = OnlineBuffer(capacity=16, update_steps=1)
        return make_trainer(falling, callbacks=[buffer], model_override=start, learning_rate=0.05, **settings, **VLLM)

    make(max_steps=2, save_strategy="steps", save_steps=1).train()
    resumed = make(max_steps=3)
    resumed.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-1"))
    assert resumed.state.global_step == 3
    differences = history(resumed, "sampling/sampling_logp_difference/max")
    assert len(differences) >= 2
    assert max(differences) < 1e-4
