"""Untrained models of several classes, with a few thousand parameters and tokenizers of their kinds."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    CodeGenConfig,
    CodeGenForCausalLM,
    CodeGenTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Tokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaTokenizer,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2Tokenizer,
    RobertaTokenizer,
    T5Config,
    T5ForConditionalGeneration,
    set_seed,
)

from trl_rltf import make_mini_apps


ENCODER_DECODERS = ("codet5", "bart")
CAUSAL = ("codegen", "gpt2", "llama", "qwen2")
TARGETS = {  # modules that LoRA adapts
    "codet5": ["q", "v"],
    "bart": ["q_proj", "v_proj"],
    "codegen": ["qkv_proj"],
    "gpt2": ["c_attn"],
    "llama": ["q_proj", "v_proj"],
    "qwen2": ["q_proj", "v_proj"],
}


def make(name: str) -> tuple[PreTrainedModel, Any]:
    """Return an untrained model of that name and its tokenizer."""
    set_seed(0)
    tokenizer = _tokenizer(name)
    model = _MODELS[name](tokenizer, len(tokenizer))
    return model, tokenizer


@functools.cache
def _tokenizer(name: str) -> Any:
    if name in ENCODER_DECODERS:
        vocabulary, merges = _byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
        return _build(RobertaTokenizer, vocabulary, merges)
    if name == "llama":
        vocabulary, merges = _sentencepiece()
        return _build(LlamaTokenizer, vocabulary, merges, pad_token="</s>")
    vocabulary, merges = _byte_level(["<|endoftext|>"])
    kind: Any = {"codegen": CodeGenTokenizer, "gpt2": GPT2Tokenizer, "qwen2": Qwen2Tokenizer}[name]
    return _build(kind, vocabulary, merges, pad_token="<|endoftext|>")


def _build(kind: Any, vocabulary: dict[str, int], merges: list[Any], **options: Any) -> Any:
    """Make a tokenizer; transformers 4 reads the two from files, or takes a tokenizer that is ready."""
    options["padding_side"] = "left"
    if int(transformers.__version__.partition(".")[0]) >= 5:
        return kind(vocab=vocabulary, merges=merges, **options)
    fast = getattr(transformers, f"{kind.__name__}Fast")
    if kind is LlamaTokenizer:
        backend = Tokenizer(models.BPE(vocabulary, merges, fuse_unk=True, byte_fallback=True))
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        backend.decoder = decoders.Sequence(parts)
        return fast(tokenizer_object=backend, legacy=False, **options)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("vocab.json", "merges.txt")]
        files[0].write_text(json.dumps(vocabulary))
        files[1].write_text("".join(f"{line}\n" for line in ["#version: 0.2", *map(" ".join, merges)]))
        return fast(*map(str, files), **options)


def _texts() -> list[str]:
    return [text for row in make_mini_apps("train", num_problems=32) for text in (row["prompt"], *row["solutions"])]


@functools.cache
def _byte_level_merges() -> tuple[dict[str, int], list[Any]]:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    backend.train_from_iterator(_texts(), trainer)
    return _learned(backend)


def _byte_level(special: list[str]) -> tuple[dict[str, int], list[Any]]:
    vocabulary, merges = _byte_level_merges()
    return {token: index for index, token in enumerate([*special, *vocabulary])}, merges


def _sentencepiece() -> tuple[dict[str, int], list[Any]]:
    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    trainer = trainers.BpeTrainer(vocab_size=150, show_progress=False)
    backend.train_from_iterator([text.replace(" ", "▁") for text in _texts()], trainer)
    learned, merges = _learned(backend)
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *learned]
    return {token: index for index, token in enumerate(tokens)}, merges


def _learned(backend: Tokenizer) -> tuple[dict[str, int], list[Any]]:
    vocabulary = sorted(backend.get_vocab(), key=backend.token_to_id)
    merges = [tuple(pair) for pair in json.loads(backend.to_str())["model"]["merges"]]
    return {token: index for index, token in enumerate(vocabulary)}, merges


def _ids(tokenizer: Any) -> dict[str, int]:
    return {name: getattr(tokenizer, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")}


def _codet5(tokenizer: Any, size: int) -> PreTrainedModel:
    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=size,
            d_model=32,
            d_ff=64,
            d_kv=16,
            num_layers=2,
            num_heads=2,
            decoder_start_token_id=tokenizer.pad_token_id,
            **_ids(tokenizer),
        )
    )


def _bart(tokenizer: Any, size: int) -> PreTrainedModel:
    return BartForConditionalGeneration(
        BartConfig(
            vocab_size=size,
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            max_position_embeddings=512,
            forced_eos_token_id=None,
            decoder_start_token_id=tokenizer.eos_token_id,
            **_ids(tokenizer),
        )
    )


def _codegen(tokenizer: Any, size: int) -> PreTrainedModel:
    return CodeGenForCausalLM(
        CodeGenConfig(
            vocab_size=size,
            n_embd=32,
            n_layer=2,
            n_head=4,
            rotary_dim=4,
            n_positions=512,
            n_ctx=512,
            **_ids(tokenizer),
        )
    )


def _gpt2(tokenizer: Any, size: int) -> PreTrainedModel:
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=size, n_embd=32, n_layer=2, n_head=2, n_positions=512, **_ids(tokenizer))
    )


def _llama_like(config_class: Any, model_class: Any) -> Callable[[Any, int], PreTrainedModel]:
    def build(tokenizer: Any, size: int) -> PreTrainedModel:
        built: PreTrainedModel = model_class(
            config_class(
                vocab_size=size,
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=2,
                num_key_value_heads=2,
                max_position_embeddings=512,
                **_ids(tokenizer),
            )
        )
        return built

    return build


_MODELS: dict[str, Callable[[Any, int], PreTrainedModel]] = {
    "codet5": _codet5,
    "bart": _bart,
    "codegen": _codegen,
    "gpt2": _gpt2,
    "llama": _llama_like(LlamaConfig, LlamaForCausalLM),
    "qwen2": _llama_like(Qwen2Config, Qwen2ForCausalLM),
}
