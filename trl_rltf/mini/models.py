"""Language models small enough to learn MiniAPPS on two CPU cores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
    set_seed,
)


Architecture = Literal["llama", "t5"]


def make_mini_model(
    dataset: Dataset,
    *,
    seed: int = 0,
    hidden_size: int = 192,
    num_layers: int = 4,
    vocab_size: int = 700,
    architecture: Architecture = "llama",
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """
    Make an untrained model and a byte-level BPE tokenizer for a dataset.

    Args:
        dataset ([`~datasets.Dataset`]): Problems; their prompts and solutions train the tokenizer.
        seed (`int`, *optional*, defaults to `0`): Seed of the weights.
        hidden_size (`int`, *optional*, defaults to `192`): Width of the model; a multiple of 16.
        num_layers (`int`, *optional*, defaults to `4`): Number of layers; of the encoder and of the decoder, for a T5.
        vocab_size (`int`, *optional*, defaults to `700`): Maximum size of the vocabulary.
        architecture (`str`, *optional*, defaults to `"llama"`): `"llama"`, a causal model, or `"t5"`, an encoder-decoder whose
            tokenizer adds `<s>` and `</s>` to a text, like that of CodeT5.

    Returns:
        `tuple`: The model (1.9 M parameters with the default arguments, 4.0 M as a T5) and its tokenizer.

    Raises:
        ValueError: If the architecture is unknown.
    """
    if architecture not in get_args(Architecture):
        raise ValueError(f"`architecture` is {architecture!r}, but must be 'llama' or 't5'.")
    texts = [text for row in dataset for text in (row["prompt"], *row["solutions"])]
    tokenizer = _train_tokenizer(texts, vocab_size)
    set_seed(seed)
    if architecture == "t5":
        return _make_t5(tokenizer, hidden_size, num_layers), tokenizer
    config = llama_config(tokenizer, hidden_size, num_layers, num_heads=max(1, hidden_size // 48))
    return LlamaForCausalLM(config), tokenizer


def llama_config(
    tokenizer: PreTrainedTokenizerFast, hidden_size: int, num_layers: int, num_heads: int, **settings: Any
) -> LlamaConfig:
    """
    Configure a small Llama.

    Args:
        tokenizer ([`~transformers.PreTrainedTokenizerFast`]): Tokenizer of the model.
        hidden_size (`int`): Width.
        num_layers (`int`): Number of layers.
        num_heads (`int`): Number of attention heads.
        **settings: Other arguments of [`~transformers.LlamaConfig`].

    Returns:
        [`~transformers.LlamaConfig`]: The configuration.
    """
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=hidden_size * 8 // 3,
        num_hidden_layers=num_layers,
        num_attention_heads=num_heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **settings,
    )


def _make_t5(tokenizer: PreTrainedTokenizerFast, hidden_size: int, num_layers: int) -> T5ForConditionalGeneration:
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        special_tokens=[("<s>", tokenizer.bos_token_id), ("</s>", tokenizer.eos_token_id)],
    )
    num_heads = max(1, hidden_size // 48)
    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=len(tokenizer),
            d_model=hidden_size,
            d_ff=hidden_size * 8 // 3,
            d_kv=hidden_size // num_heads,
            num_layers=num_layers,
            num_heads=num_heads,
            dropout_rate=0.0,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            decoder_start_token_id=tokenizer.pad_token_id,
        )
    )


def _train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    special: list[Any] = ["<pad>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>", padding_side="left"
    )
