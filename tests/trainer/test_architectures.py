"""Classes of models, trained in full and with LoRA, each with a tokenizer of its kind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from architectures import CAUSAL, ENCODER_DECODERS, TARGETS, make
from peft import LoraConfig
from support import by_length, snapshot

from trl_rltf import OnlineBuffer, RLTFConfig, TokenReward
from trl_rltf.completions import token_ranges
from trl_rltf.presets import paper_reward


ALL = (*ENCODER_DECODERS, *CAUSAL)
# The second line raises an error; the lines before and after it are right.
FAULTY = "v = list(map(int, input().split()))\nprint(v + 1, 'é')\nprint(sum(v))\n"


@pytest.mark.parametrize("name", ALL)
def test_every_weight_moves(name: str, make_trainer: Any) -> None:
    model, tokenizer = make(name)
    before = snapshot(model)
    trainer = make_trainer(by_length, model_override=model, tokenizer_override=tokenizer, ce_loss_weight=0.5)
    trainer.train()
    after = snapshot(trainer.model)
    assert [key for key in before if torch.equal(before[key], after[key])] == []


@pytest.mark.parametrize("name", ALL)
def test_lora_moves_its_weights_only(name: str, make_trainer: Any) -> None:
    model, tokenizer = make(name)
    task = "SEQ_2_SEQ_LM" if name in ENCODER_DECODERS else "CAUSAL_LM"
    trainer = make_trainer(
        by_length,
        model_override=model,
        tokenizer_override=tokenizer,
        peft_config=LoraConfig(task_type=task, r=4, target_modules=TARGETS[name], fan_in_fan_out=name == "gpt2"),
        gradient_checkpointing=True,
        beta=0.1,
        max_steps=3,
        callbacks=[OnlineBuffer(capacity=16, update_steps=2)],
    )
    before = snapshot(trainer.model)
    trainer.train()
    after = snapshot(trainer.model)
    moved = [key for key in before if not torch.equal(before[key], after[key])]
    assert moved == [key for key in before if "lora_" in key]


@pytest.mark.filterwarnings("ignore:You are using 'rollout_func'")
@pytest.mark.parametrize("name", ALL)
def test_the_penalty_falls_on_the_tokens_of_the_failing_statement(name: str, make_trainer: Any, runner: Any) -> None:
    model, tokenizer = make(name)
    is_encoder_decoder = name in ENCODER_DECODERS
    ids = tokenizer(FAULTY, add_special_tokens=is_encoder_decoder)["input_ids"]
    ids = ids if ids[-1] == tokenizer.eos_token_id else [*ids, tokenizer.eos_token_id]

    def write_the_faulty_program(prompts: list[str], trainer: Any) -> dict[str, Any]:
        prompt_ids = trainer.processing_class(text=prompts)["input_ids"]
        return {"prompt_ids": prompt_ids, "completion_ids": [ids] * len(prompts), "logprobs": None}

    trainer = make_trainer(
        paper_reward(runner),
        model_override=model,
        tokenizer_override=tokenizer,
        rollout_func=write_the_faulty_program,
        baseline="none",
        scale_rewards="none",
        max_steps=1,
    )
    batches = []
    compute_loss = trainer.compute_loss
    trainer.compute_loss = lambda model, inputs, **kwargs: (
        batches.append(inputs),
        compute_loss(model, inputs, **kwargs),
    )[1]
    trainer.train()
    advantages = batches[0]["advantages"][0].tolist()
    line_two = range(FAULTY.index("print(v"), FAULTY.index("\nprint(sum"))
    for (begin, end), advantage in zip(token_ranges(ids, FAULTY, tokenizer), advantages, strict=True):
        is_inside = bool(set(range(begin, end)) & set(line_two))
        assert advantage == pytest.approx(-0.9 if is_inside else -0.6)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_log_probs_are_those_of_a_plain_forward_pass(name: str, temperature: float, make_trainer: Any) -> None:
    model, tokenizer = make(name)
    trainer = make_trainer(
        by_length, model_override=model, tokenizer_override=tokenizer, temperature=temperature, disable_dropout=True
    )
    rows = [trainer.train_dataset[index] for index in (0, 0, 0, 0, 5, 5, 5, 5)]
    batch = trainer.score(rows)
    logps = trainer.logps_of(batch)
    model.eval()
    for row, count in enumerate(batch["completion_mask"].sum(1).tolist()):
        prompt = batch["prompt_ids"][row][batch["prompt_mask"][row].bool()][None]
        completion = batch["completion_ids"][row, :count][None]
        with torch.no_grad():
            if name in ENCODER_DECODERS:
                logits = model(input_ids=prompt, labels=completion).logits[0]
            else:
                logits = model(input_ids=torch.cat([prompt, completion], dim=1)).logits[0, -count - 1 : -1]
        expected = (logits / temperature).log_softmax(-1).gather(1, completion[0][:, None])[:, 0]
        torch.testing.assert_close(logps[row, :count], expected, atol=2e-5, rtol=1e-4)
        assert not logps[row, count:].any()


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_padding_of_a_prompt_changes_nothing(name: str, make_trainer: Any) -> None:
    model, tokenizer = make(name)
    trainer = make_trainer(by_length, model_override=model, tokenizer_override=tokenizer, disable_dropout=True)
    prompts = ["x", "Read a line of integers. " * 8]
    together = [ids for _, ids in trainer.generate_greedily(prompts)]
    alone = []
    for prompt in prompts:
        sequence = model.generate(
            **tokenizer(prompt, return_tensors="pt"),
            max_new_tokens=trainer.max_completion_length,
            do_sample=False,
        )
        alone.append(sequence[0, 1:].tolist())
    assert together == alone


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_the_generation_config_of_a_model_does_not_shape_its_samples(name: str, make_trainer: Any) -> None:
    """That of BART forces the first and the last token and searches with beams."""
    model, tokenizer = make(name)
    trainer = make_trainer(by_length, model_override=model, tokenizer_override=tokenizer)
    prompts = ["x", "Read a line of integers."]
    plain = trainer.generate_greedily(prompts)
    own = model.generation_config
    own.num_beams, own.forced_bos_token_id, own.forced_eos_token_id, own.no_repeat_ngram_size = 4, 7, 9, 1
    assert trainer.generate_greedily(prompts) == plain
    assert model.generation_config is own


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_greedy_completions_are_the_same_with_dropout(name: str, make_trainer: Any, caplog: Any) -> None:
    model, tokenizer = make(name)
    trainer = make_trainer(by_length, model_override=model, tokenizer_override=tokenizer)
    assert "The model has dropout" in caplog.text
    model.train()
    found = {tuple(ids) for _ in range(3) for _, ids in trainer.generate_greedily(["Read a line of integers."] * 4)}
    assert len(found) == 1
    assert model.training


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_the_model_generates_as_before_outside_of_the_trainer(name: str, make_trainer: Any) -> None:
    model, tokenizer = make(name)
    trainer = make_trainer(by_length, model_override=model, tokenizer_override=tokenizer)
    trainer.train()
    sequence = model.generate(**tokenizer("x", return_tensors="pt"), max_new_tokens=3)
    assert sequence[0, 0].item() == model.config.decoder_start_token_id
    assert sequence.size(1) <= 4


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_an_encoder_decoder_is_loaded_from_a_folder_with_its_reference_model(
    name: str, make_trainer: Any, tmp_path: Any
) -> None:
    model, tokenizer = make(name)
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    trainer = make_trainer(
        by_length,
        model_override=str(tmp_path / "model"),
        tokenizer_override=tokenizer,
        beta=0.1,
        baseline="greedy",
        ce_loss_weight=1.0,
        disable_dropout=True,
        max_steps=3,
    )
    trainer.train()
    kl = [log["kl"] for log in trainer.state.log_history if "kl" in log]
    assert kl[0] == pytest.approx(0, abs=1e-6)
    assert kl[-1] > 0


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_an_encoder_decoder_resumes_exactly(name: str, make_trainer: Any, tmp_path: Any) -> None:
    weights = []
    for resume in (None, str(tmp_path / "out" / "checkpoint-3")):
        model, tokenizer = make(name)
        trainer = make_trainer(
            by_length,
            model_override=model,
            tokenizer_override=tokenizer,
            callbacks=[OnlineBuffer(capacity=16, update_steps=2, importance_sampling=True)],
            baseline="greedy",
            ce_loss_weight=0.5,
            scale_rewards="none",
            max_steps=5,
            save_strategy="steps",
            save_steps=1,
        )
        trainer.train(resume_from_checkpoint=resume)
        weights.append(snapshot(model))
    assert [key for key in weights[0] if not torch.equal(weights[0][key], weights[1][key])] == []


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_an_encoder_decoder_is_evaluated(name: str, make_trainer: Any, problems: Any) -> None:
    model, tokenizer = make(name)
    trainer = make_trainer(
        by_length,
        model_override=model,
        tokenizer_override=tokenizer,
        eval_dataset=problems.select(range(2)),
        per_device_eval_batch_size=4,
        num_generations_eval=2,
    )
    metrics = trainer.evaluate()
    assert metrics["eval_rewards/by_length/mean"] > 0
    assert metrics["eval_completions/max_length"] <= 12


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_the_cross_entropy_is_that_of_the_model_itself(name: str, make_trainer: Any, problems: Any) -> None:
    model, tokenizer = make(name)
    row = problems[0]
    trainer = make_trainer(
        lambda completions, **columns: [0.0] * len(completions),
        model_override=model,
        tokenizer_override=tokenizer,
        dataset=problems.select([0] * 4).map(lambda row: {"solutions": row["solutions"][:1]}),
        ce_loss_weight=1.0,
        disable_dropout=True,
        max_completion_length=200,
        max_steps=1,
    )
    inputs = tokenizer(row["prompt"], return_tensors="pt")
    labels = tokenizer(row["solutions"][0], return_tensors="pt")["input_ids"]
    model.eval()
    expected = model(**inputs, labels=labels).loss.item()
    trainer.train()
    assert trainer.state.log_history[0]["loss/ce"] == pytest.approx(expected, rel=1e-4)


def test_tokens_of_one_completion_get_different_gradients_in_an_encoder_decoder(make_trainer: Any) -> None:
    """The gradient of a loss with one marked token differs from that with another marked token."""
    gradients = []
    for marked in (1, 4):
        model, tokenizer = make("codet5")

        def reward(completion_ids: Any, marked: int = marked, **columns: Any) -> list[TokenReward]:
            return [
                TokenReward(0.0, [-1.0 * (index == marked) for index in range(len(ids))]) for ids in completion_ids
            ]

        trainer = make_trainer(
            reward,
            model_override=model,
            tokenizer_override=tokenizer,
            max_steps=1,
            max_grad_norm=1e9,
            learning_rate=0.0,
            disable_dropout=True,
            gradient_accumulation_steps=1,
        )
        found: list[torch.Tensor] = []
        backward = trainer.accelerator.backward

        def remember(
            loss: torch.Tensor, found: Any = found, backward: Any = backward, model: Any = model, **kwargs: Any
        ) -> None:
            backward(loss, **kwargs)
            found.append(model.decoder.final_layer_norm.weight.grad.clone())

        trainer.accelerator.backward = remember
        trainer.train()
        gradients.append(found[0])
    assert gradients[0].any()
    assert gradients[1].any()
    assert not torch.allclose(gradients[0], gradients[1])


@pytest.mark.parametrize(
    ("settings", "arguments", "message"),
    [
        ({"use_transformers_continuous_batching": True}, {}, "generates with causal models only"),
        ({"cast_lm_head_to_fp32": True}, {}, "TRL casts the head of causal models only"),
        ({}, {"tools": [len]}, "cannot be interrupted by an answer"),
    ],
)
def test_settings_that_need_a_causal_model_are_refused(
    settings: dict[str, Any], arguments: dict[str, Any], message: str, problems: Any, tmp_path: Any
) -> None:
    from trl_rltf import RLTFTrainer

    model, tokenizer = make("codet5")
    args = RLTFConfig(str(tmp_path), per_device_train_batch_size=4, num_generations=4, bf16=False, **settings)
    if "tools" in arguments:
        problems = problems.map(lambda row: {"prompt": [{"role": "user", "content": row["prompt"]}]})
    with pytest.raises(ValueError, match=message):
        RLTFTrainer(model, by_length, args, problems, processing_class=tokenizer, **arguments)


def test_a_decoder_without_a_start_token_is_refused(make_trainer: Any) -> None:
    model, tokenizer = make("codet5")
    model.config.decoder_start_token_id = model.generation_config.decoder_start_token_id = None
    with pytest.raises(ValueError, match="has no start token for the decoder"):
        make_trainer(by_length, model_override=model, tokenizer_override=tokenizer)
