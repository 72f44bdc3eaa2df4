"""The trainer for any architecture, without anything of RLTF."""

import copy

import architectures
import pytest
import torch
from datasets import Dataset
from support import Spy, by_length, history, snapshot
from trl import GRPOConfig, GRPOTrainer

from trl_rltf.trainer import RLTFTrainer, Seq2SeqGRPOTrainer
from trl_rltf.trainer.encoder_decoder import EncoderDecoder, disable_dropout, has_dropout
from trl_rltf.trainer.positions import counts_padding, with_positions


def test_a_t5_trains_with_the_configuration_of_trl(make_trainer):
    model, tokenizer = architectures.make("codet5")
    before = snapshot(model)
    trainer = make_trainer(
        by_length,
        trainer_class=Seq2SeqGRPOTrainer,
        config_class=GRPOConfig,
        model_override=model,
        tokenizer_override=tokenizer,
        disable_dropout=True,
    )
    trainer.train()
    assert [name for name, value in trainer.model.named_parameters() if torch.equal(value, before[name])] == []
    assert not isinstance(trainer, RLTFTrainer)
    assert not history(trainer, "baseline")  # a metric of RLTF
    assert history(trainer, "reward")


def test_a_causal_model_trains_as_with_trl_to_the_last_bit(make_trainer, model):
    runs = []
    for trainer_class in (Seq2SeqGRPOTrainer, GRPOTrainer):
        trainer = make_trainer(
            by_length,
            trainer_class=trainer_class,
            config_class=GRPOConfig,
            model_override=copy.deepcopy(model),
        )
        trainer.train()
        runs.append((history(trainer, "loss"), snapshot(trainer.model)))
    (ours, our_weights), (theirs, their_weights) = runs
    assert ours == theirs
    assert all(torch.equal(our_weights[name], value) for name, value in their_weights.items())


@pytest.mark.parametrize(("overflow", "rows"), [("truncate", 8), ("drop", 4)])
def test_prompts_can_be_limited_without_rltf(tmp_path, model, tokenizer, overflow, rows):
    prompts = [f"{index} " * (1 + 9 * (index % 2)) for index in range(8)]
    limit = len(tokenizer("0 ")["input_ids"])
    trainer = Seq2SeqGRPOTrainer(
        model,
        by_length,
        GRPOConfig(
            str(tmp_path),
            per_device_train_batch_size=8,
            num_generations=4,
            max_completion_length=4,
            max_steps=1,
            bf16=False,
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
        ),
        Dataset.from_dict({"prompt": prompts}),
        processing_class=tokenizer,
        max_prompt_length=limit,
        prompt_overflow=overflow,
    )
    assert len(trainer.train_dataset) == rows
    spy = Spy(trainer)
    trainer.train()
    assert spy.batches[0]["prompt_ids"].size(1) <= limit


def test_arguments_that_need_a_causal_model_are_refused(tmp_path):
    model, tokenizer = architectures.make("codet5")
    args = GRPOConfig(str(tmp_path), per_device_train_batch_size=4, num_generations=4, bf16=False)
    with pytest.raises(ValueError, match="`tools` does not work with an encoder-decoder model"):
        Seq2SeqGRPOTrainer(model, by_length, args, processing_class=tokenizer, tools=[len])


def test_positions_start_at_the_first_token_after_the_padding():
    def model(**arguments):
        return arguments

    mask = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    arguments = with_positions(model)(attention_mask=mask, input_ids="the ids")
    assert arguments["position_ids"].tolist() == [[0, 0, 0, 1], [0, 1, 2, 3]]
    assert arguments["input_ids"] == "the ids"
    assert arguments["attention_mask"] is mask


@pytest.mark.parametrize(
    ("name", "expected"), [("gpt2", True), ("codegen", False), ("llama", False), ("qwen2", False)]
)
def test_models_with_a_table_of_positions_count_padding(name, expected):
    assert counts_padding(architectures.make(name)[0]) is expected


def test_padding_moves_from_the_left_to_the_right():
    model, _ = architectures.make("codet5")
    ids, mask = EncoderDecoder(model, pad_token_id=9, temperature=1.0).right_padded(
        torch.tensor([[9, 9, 5, 6], [1, 2, 3, 4]]), torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    )
    assert ids.tolist() == [[5, 6, 9, 9], [1, 2, 3, 4]]
    assert mask.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]


@pytest.mark.parametrize("name", architectures.ENCODER_DECODERS)
def test_all_dropout_of_an_encoder_decoder_can_be_switched_off(name):
    model, _ = architectures.make(name)
    assert has_dropout(model)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # as TRL does
    disable_dropout(model)
    assert not has_dropout(model)
    model.train()
    ids = torch.tensor([[5, 6, 7]])
    first, second = (model(input_ids=ids, labels=ids).loss for _ in range(2))
    assert first == second


def test_an_unknown_treatment_of_long_prompts_is_refused(tmp_path, model):
    args = GRPOConfig(tmp_path, use_cpu=True, bf16=False, report_to="none")
    with pytest.raises(ValueError, match="`prompt_overflow` is 'cut', but must be 'truncate' or 'drop'"):
        Seq2SeqGRPOTrainer(model, by_length, args, max_prompt_length=4, prompt_overflow="cut")
