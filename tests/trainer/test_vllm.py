"""Training through TRL's vLLM path, in both modes, with a stand-in for the engine; `test_vllm_engine.py` has the real one."""

import functools
import os

import pytest
import torch
import vllm_rollouts
import vllm_stand_in
from source import ROOT
from support import Spy, by_length, history, load_script, snapshot
from transformers import AutoModelForCausalLM
from trl.generation import vllm_client, vllm_generation
from vllm_rollouts import GROUP_SIZE, Recorder, check

from trl_rltf import OnlineBuffer
from trl_rltf.presets import paper_config


VLLM_ON_CPU = ROOT / "examples" / "benchmarks" / "vllm_on_cpu.py"
VLLM = {"use_vllm": True, "vllm_mode": "colocate"}


@pytest.fixture
def start(monkeypatch, model, tmp_path):
    """Save a model in a folder for the engine to load, and replace the engine by the stand-in."""
    for module in (vllm_generation, vllm_client):
        monkeypatch.setattr(module, "is_vllm_available", lambda: True)
    monkeypatch.setattr(vllm_generation, "LLM", vllm_stand_in.LLM, raising=False)
    monkeypatch.setattr(vllm_generation, "SamplingParams", vllm_stand_in.SamplingParams, raising=False)
    model.save_pretrained(tmp_path / "start")
    before = dict(os.environ)
    yield AutoModelForCausalLM.from_pretrained(tmp_path / "start")
    # TRL sets the variables of a distributed run for the engine; other tests must not find them.
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def server(monkeypatch, start, tmp_path):
    """A server with the stand-in, to which weights go through a file."""
    for name in ("init_communicator", "update_named_params"):
        monkeypatch.setattr(vllm_client.VLLMClient, name, None)
    load_script(VLLM_ON_CPU).use_server_mode()
    with vllm_stand_in.server(str(tmp_path / "start")) as served:
        yield served


@pytest.fixture(params=["colocate", "server"])
def mode(request):
    """Settings of each mode of TRL."""
    if request.param == "colocate":
        return {"vllm_mode": "colocate"}
    return {"vllm_mode": "server", "vllm_server_base_url": request.getfixturevalue("server")[0]}


@pytest.fixture
def recorded(make_trainer, start, mode):
    """A function that trains in each mode, and returns the trainer and what it got from the engine."""
    return functools.partial(train_and_record, make_trainer, start, mode)


@pytest.fixture
def recorded_in_colocate_mode(make_trainer, start):
    """The same, in one mode."""
    return functools.partial(train_and_record, make_trainer, start, {})


def train_and_record(make_trainer, start, mode, callbacks=None, peft_config=None, resume=None, **settings):
    trainer = make_trainer(
        vllm_rollouts.reward,
        callbacks=callbacks,
        model_override=start,
        peft_config=peft_config,
        **{**vllm_rollouts.SETTINGS, **mode, **settings},
    )
    recorder = Recorder(trainer)
    trainer.train(resume_from_checkpoint=resume)
    return trainer, recorder.record()


def engine(trainer):
    return trainer.vllm_generation.llm


# ---------------------------------------------------------------------- both modes, against plain loops


def test_tokens_log_probs_ratios_and_advantages_are_those_of_plain_loops(recorded, model):
    trainer, record = recorded(callbacks=[OnlineBuffer(8, 2)], max_steps=4, ce_loss_weight=0.3)
    check(record, model)
    # Two refreshes of two batches each, at the steps 0 and 2.
    assert len(record["batches"]) == 4
    first, last = record["calls"][0]["weights"], record["calls"][-1]["weights"]
    assert any(not torch.equal(first[name], last[name]) for name in first)
    assert history(trainer, "buffer/refreshes")[-1] == 2
    assert all(loss > 0 for loss in history(trainer, "loss/ce"))


def test_adapters_are_merged_into_the_weights_of_the_engine(recorded, model):
    from peft import LoraConfig

    _, record = recorded(peft_config=LoraConfig(r=4, target_modules=["q_proj", "v_proj"]), max_steps=3)
    check(record, model)
    assert not torch.equal(*(record["calls"][i]["weights"]["model.layers.0.self_attn.q_proj.weight"] for i in (0, 2)))


def test_the_greedy_baseline_is_decoded_by_the_engine(recorded, model):
    _, record = recorded(baseline="greedy", generation_kwargs={"temperature": 0.8})
    assert [call["is_greedy"] for call in record["calls"]] == [False, True] * 2
    assert [len(call["prompts"]) for call in record["calls"]] == [GROUP_SIZE, 1] * 2
    check(record, model)


def test_a_run_resumes_with_its_buffer_and_with_the_weights_of_its_checkpoint_in_the_engine(recorded, model, tmp_path):
    saved = {"save_strategy": "steps", "save_steps": 1}
    _, before = recorded(callbacks=[OnlineBuffer(8, 3)], max_steps=2, **saved)
    folder = str(tmp_path / "out" / "checkpoint-1")
    buffer = OnlineBuffer(8, 3)
    resumed, after = recorded(callbacks=[buffer], max_steps=4, resume=folder)
    assert resumed.state.global_step == 4
    # The refresh of step 0 is in the checkpoint; the next one is that of step 3.
    assert len(before["batches"]) == len(after["batches"]) == 2
    assert history(resumed, "buffer/refreshes") == [1, 1, 1, 2]  # the first is of the run that wrote the checkpoint
    check(after, model)


@pytest.mark.parametrize("importance_mode", ["sequence_mask", "token_truncate"])
def test_with_a_nucleus_the_ratio_is_its_share_of_the_probability(recorded_in_colocate_mode, model, importance_mode):
    trainer, record = recorded_in_colocate_mode(top_p=0.8, vllm_importance_sampling_mode=importance_mode)
    check(record, model, top_p=0.8, mode=importance_mode)
    ratios = history(trainer, "sampling/importance_sampling_ratio/mean")
    # The product over 12 tokens leaves little of the gradient.
    assert all(ratio < 0.2 if importance_mode == "sequence_mask" else ratio >= 0.8 for ratio in ratios)


def test_the_loss_is_the_one_of_the_ratio_and_the_advantages(recorded_in_colocate_mode):
    trainer, record = recorded_in_colocate_mode(top_p=0.8, vllm_importance_sampling_mode="token_truncate", max_steps=1)
    (batch,) = record["batches"]
    losses = []
    for row in range(GROUP_SIZE):
        length = int(batch["completion_mask"][row].sum())
        products = batch["advantages"][row] * batch["importance_sampling_ratio"][row]
        losses.append(-sum(products[:length].tolist()) / length)
    assert history(trainer, "loss") == [pytest.approx(sum(losses) / GROUP_SIZE, abs=1e-5)]


def test_a_second_run_of_a_trainer_samples_from_the_weights_that_the_first_run_ended_with(make_trainer, start, mode):
    """Both begin at step 0, at which TRL would find the weights of the engine up to date."""
    trainer = make_trainer(by_length, model_override=start, max_steps=1, learning_rate=0.05, use_vllm=True, **mode)
    for _ in range(2):
        trainer.train()
        assert max(history(trainer, "sampling/sampling_logp_difference/max")) < 1e-4


# ---------------------------------------------------------------------- one mode


def test_a_trainer_with_vllm_trains_all_weights(make_trainer, start):
    buffer = OnlineBuffer(capacity=16, update_steps=2)
    trainer = make_trainer(vllm_rollouts.reward, callbacks=[buffer], model_override=start, max_steps=4, **VLLM)
    before = snapshot(trainer.model)
    spy = Spy(trainer)
    trainer.train()
    assert [name for name, value in trainer.model.named_parameters() if torch.equal(value, before[name])] == []
    assert all(batch["advantages"].dim() == 2 for batch in spy.batches)
    assert all("importance_sampling_ratio" in batch for batch in spy.batches)
    # Two refreshes, at steps 0 and 2, each with the weights of its step.
    assert engine(trainer).num_loaded == 2 * len(list(start.parameters()))


def test_the_engine_gets_prompts_of_the_length_that_is_allowed(make_trainer, start):
    trainer = make_trainer(by_length, model_override=start, max_steps=1, max_prompt_length=5, **VLLM)
    trainer.train()
    assert {len(ids) for ids in engine(trainer).prompts} == {5}


def test_an_evaluation_goes_through_the_engine(make_trainer, start, problems):
    trainer = make_trainer(
        by_length,
        model_override=start,
        per_device_eval_batch_size=4,
        eval_dataset=problems.select(range(2)),
        **VLLM,
    )
    trainer.train()
    trained = len(engine(trainer).prompts)
    assert "eval_reward" in trainer.evaluate()
    assert len(engine(trainer).prompts) - trained == 8


def test_the_server_generates_a_group_from_one_prompt(make_trainer, start, server):
    url, stand_in = server
    settings = {"use_vllm": True, "vllm_mode": "server", "vllm_server_base_url": url}
    trainer = make_trainer(by_length, model_override=start, max_steps=1, per_device_train_batch_size=8, **settings)
    trainer.train()
    assert len(stand_in.prompts) == 2
    assert stand_in.num_loaded == len(list(start.parameters()))


# ---------------------------------------------------------------------- settings


def warnings_of(caplog, make_trainer, start, **settings):
    """Warnings about the ratio when a trainer is made."""
    make_trainer(by_length, model_override=start, **settings)
    return [record.getMessage() for record in caplog.records if "vllm_importance_sampling_mode" in record.getMessage()]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"top_p": 0.95}, "`top_p=0.95`"),
        ({"top_k": 50}, "`top_k=50`"),
        ({"min_p": 0.1}, "`min_p=0.1`"),
        ({"repetition_penalty": 1.1}, "`repetition_penalty=1.1`"),
        ({"generation_kwargs": {"top_p": 0.9}}, "`top_p=0.9`"),
        ({"generation_kwargs": {"temperature": 0.5}}, "`temperature=0.5`"),
        ({"generation_kwargs": {"logit_bias": {3: 1.0}}}, "`logit_bias={3: 1.0}`"),
        ({"vllm_structured_outputs_regex": "a+"}, "`vllm_structured_outputs_regex='a+'`"),
        ({"top_p": 0.95, "vllm_importance_sampling_mode": "sequence_truncate"}, "`top_p=0.95`"),
    ],
)
def test_sampling_that_leaves_no_gradient_is_warned_of(caplog, make_trainer, start, settings, named):
    (message,) = warnings_of(caplog, make_trainer, start, **VLLM, **settings)
    assert f"vLLM samples with {named}" in message
    assert "Set `vllm_importance_sampling_mode='token_truncate'`" in message


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 0.6, "top_k": -1, "min_p": 0.0, "generation_kwargs": {"seed": 1, "frequency_penalty": 0.0}},
        {"top_p": 0.95, "vllm_importance_sampling_mode": "token_truncate"},
        {"top_p": 0.95, "vllm_importance_sampling_correction": False},
        {"top_p": 0.95, "generation_kwargs": {"top_p": 1.0}},
        {"top_p": 0.95, "use_vllm": False},
    ],
)
def test_sampling_that_fits_the_correction_is_not(caplog, make_trainer, start, settings):
    assert warnings_of(caplog, make_trainer, start, **{**VLLM, **settings}) == []


def test_the_preset_of_the_paper_fits_vllm(caplog, make_trainer, start, tmp_path):
    config = paper_config(str(tmp_path), use_vllm=True)
    assert (config.top_p, config.baseline) == (0.95, "greedy")
    chosen = {name: getattr(config, name) for name in ("top_p", "baseline", "vllm_importance_sampling_mode")}
    assert warnings_of(caplog, make_trainer, start, **VLLM, **chosen) == []


def test_a_missing_attribute_of_the_vllm_path_is_named_at_construction(make_trainer, start, monkeypatch):
    from trl_rltf.trainer import _trl

    monkeypatch.setattr(_trl, "VLLM_GENERATION_ATTRIBUTES", ["no_such_name"])
    with pytest.raises(RuntimeError, match=r"has a trainer without vllm_generation\.no_such_name"):
        make_trainer(by_length, model_override=start, **VLLM)
