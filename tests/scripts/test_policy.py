"""Policies loaded from folders, GGUF files and adapters."""

import json

import architectures
import pytest
import torch
from transformers import AutoModelForCausalLM
from trl import ModelConfig

from trl_rltf.scripts import load_policy


def write_gguf(path, model, tokenizer):
    """Write a small Llama in GGUF format, with the names and the order of rows that llama.cpp uses."""
    from gguf import GGUFWriter

    config = model.config
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    writer.add_token_list([token for token, _ in vocabulary])
    writer.add_token_types([3 if token in tokenizer.all_special_tokens else 1 for token, _ in vocabulary])
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    names = {
        "model.embed_tokens": "token_embd",
        "model.norm": "output_norm",
        "lm_head": "output",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "post_attention_layernorm": "ffn_norm",
        "input_layernorm": "attn_norm",
        "model.layers": "blk",
    }
    for name, value in model.state_dict().items():
        if "q_proj" in name or "k_proj" in name:  # halves of each head's rotation alternate there
            rows = value.reshape(config.num_attention_heads, 2, -1, value.size(1))
            value = rows.swapaxes(1, 2).reshape(value.shape)
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        writer.add_tensor(name, value.float().numpy().copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_file_is_dequantized(tmp_path, model, tokenizer):
    write_gguf(tmp_path / "model.gguf", model, tokenizer)
    loaded, its_tokenizer = load_policy(ModelConfig(model_name_or_path=str(tmp_path)), gguf_file="model.gguf")
    text = "v = list(map(int, input().split()))\nprint(sum(v))\n"
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    assert its_tokenizer(text)["input_ids"][-ids.size(1) :] == ids[0].tolist()
    torch.testing.assert_close(loaded(input_ids=ids).logits, model(input_ids=ids).logits, atol=1e-5, rtol=1e-4)
    loaded.save_pretrained(tmp_path / "saved")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "saved")
    assert torch.equal(again(input_ids=ids).logits, loaded(input_ids=ids).logits)
    loaded(input_ids=ids, labels=ids).loss.backward()
    assert all(parameter.grad is not None for parameter in loaded.parameters())


@pytest.mark.parametrize("name", ["codet5", "llama"])
def test_the_configuration_names_the_class_of_a_model(tmp_path, name):
    for part in architectures.make(name):
        part.save_pretrained(tmp_path)
    model, _ = load_policy(ModelConfig(model_name_or_path=str(tmp_path)))
    assert type(model) is type(architectures.make(name)[0])


@pytest.mark.parametrize(
    ("files", "name", "message"),
    [
        ([], "./nowhere", "there is no such folder. Give the folder of a model"),
        ([], "a/b/c", "there is no such folder"),
        (["folder/tiny.gguf"], "folder", "It has the GGUF file tiny.gguf: add `--gguf_file tiny.gguf`"),
        (["folder/tiny.gguf"], "folder/tiny.gguf", "--model_name_or_path folder --gguf_file tiny.gguf"),
        (
            ["folder/checkpoint-4/config.json"],
            "folder",
            "It has the checkpoint checkpoint-4: give folder/checkpoint-4",
        ),
        (["folder/notes.txt"], "folder", "a folder without `config.json`"),
    ],
)
def test_a_name_that_is_no_model_is_described(files, name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    with pytest.raises(FileNotFoundError, match=message):
        load_policy(ModelConfig(model_name_or_path=name))


def test_a_gguf_file_that_the_folder_lacks_is_named(tmp_path):
    (tmp_path / "tiny.gguf").touch()
    with pytest.raises(FileNotFoundError, match=r"`gguf_file` is 'other.gguf', but .* has tiny.gguf"):
        load_policy(ModelConfig(model_name_or_path=str(tmp_path)), gguf_file="other.gguf")
