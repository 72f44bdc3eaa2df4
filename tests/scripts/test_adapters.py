"""Policies loaded from the folder that training with `--use_peft` writes."""

import json
import shutil

import architectures
import pytest
import torch
from datasets import Dataset
from support import by_length
from trl import ModelConfig

from trl_rltf import RLTFConfig, RLTFTrainer
from trl_rltf.scripts import load_policy


SETTINGS = {
    "per_device_train_batch_size": 4,
    "num_generations": 4,
    "max_completion_length": 8,
    "max_steps": 2,
    "learning_rate": 0.1,
    "bf16": False,
    "gradient_checkpointing": False,
    "report_to": "none",
    "save_strategy": "steps",
    "save_steps": 1,
    "disable_tqdm": True,
    "dataloader_pin_memory": False,
}


def load(source, **options):
    return load_policy(ModelConfig(model_name_or_path=str(source), dtype="float32"), **options)


@pytest.fixture(params=["llama", "codet5"])
def trained(request, tmp_path):
    """A trainer after a short training with LoRA, from a model in the folder `base`."""
    from peft import LoraConfig

    for part in architectures.make(request.param):
        part.save_pretrained(tmp_path / "base")
    task = "SEQ_2_SEQ_LM" if request.param == "codet5" else "CAUSAL_LM"
    model, tokenizer = architectures.make(request.param)
    trainer = RLTFTrainer(
        model=type(model).from_pretrained(tmp_path / "base"),
        reward_funcs=by_length,
        args=RLTFConfig(output_dir=str(tmp_path / "out"), disable_dropout=True, **SETTINGS),
        train_dataset=Dataset.from_dict({"prompt": ["x = ", "print("]}),
        processing_class=tokenizer,
        peft_config=LoraConfig(r=4, target_modules=architectures.TARGETS[request.param], task_type=task),
    )
    trainer.train()
    trainer.save_model(str(tmp_path / "out"))
    return trainer


def outputs(model, tokenizer):
    ids = tokenizer("print(1)", return_tensors="pt")["input_ids"]
    model.eval()
    with torch.no_grad():
        return model(input_ids=ids, **({"decoder_input_ids": ids} if model.config.is_encoder_decoder else {})).logits


def test_the_folder_of_an_adapter_is_loaded_with_its_base_model(trained, tmp_path):
    model, tokenizer = load(tmp_path / "out")
    base, _ = load(tmp_path / "base")
    found = outputs(model, tokenizer)
    torch.testing.assert_close(found, outputs(trained.model, tokenizer), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found, outputs(base, tokenizer), atol=1e-3)
    checkpoint, _ = load(tmp_path / "out" / "checkpoint-2")  # the last one
    assert torch.equal(outputs(checkpoint, tokenizer), found)
    assert tokenizer.pad_token is not None


@pytest.mark.parametrize("trained", ["llama"], indirect=True)
def test_an_adapter_and_its_base_may_move_together(trained, tmp_path):
    before = outputs(*load(tmp_path / "out"))
    for name in ("out", "base"):
        shutil.move(tmp_path / name, tmp_path / "elsewhere" / name)
    assert torch.equal(outputs(*load(tmp_path / "elsewhere" / "out")), before)


@pytest.mark.parametrize("trained", ["llama"], indirect=True)
def test_a_missing_base_model_is_named_and_may_be_given(trained, tmp_path):
    before = outputs(*load(tmp_path / "out"))
    shutil.move(tmp_path / "base", tmp_path / "renamed")
    with pytest.raises(
        ValueError, match=r"was trained on '.*/base', which is neither a local folder .*--adapter_name_or_path"
    ):
        load(tmp_path / "out")
    assert torch.equal(outputs(*load(tmp_path / "renamed", adapter=str(tmp_path / "out"))), before)
    config = tmp_path / "out" / "adapter_config.json"
    for base, message in ((None, "does not name the model"), (str(tmp_path / "out"), "was written over the model")):
        config.write_text(json.dumps({**json.loads(config.read_text()), "base_model_name_or_path": base}))
        with pytest.raises(ValueError, match=message):
            load(tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Could not find a config file")  # PEFT looks for that of a whole model
@pytest.mark.parametrize("trained", ["llama"], indirect=True)
def test_an_adapter_may_be_trained_on_an_adapter(trained, tmp_path):
    from peft import LoraConfig, get_peft_model

    first, tokenizer = load(tmp_path / "out")
    second = get_peft_model(first, LoraConfig(target_modules=["q_proj"], init_lora_weights=False))
    second.save_pretrained(tmp_path / "second")
    found = outputs(*load(tmp_path / "second"))
    torch.testing.assert_close(found, outputs(second, tokenizer), rtol=1e-4, atol=1e-4)
