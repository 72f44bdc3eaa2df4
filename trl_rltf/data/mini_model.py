"""A causal language model small enough to learn MiniAPPS on two CPU cores, with a tokenizer trained on the spot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed


def make_mini_model(
    dataset: Dataset, seed: int = 0, hidden_size: int = 192, num_layers: int = 4, vocab_size: int = 700
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """
    Make an untrained Llama and a byte-level BPE tokenizer for a dataset.

    Args:
        dataset ([`~datasets.Dataset`]): Problems; their prompts and solutions train the tokenizer.
        seed (`int`, *optional*, defaults to `0`): Seed of the weights.
        hidden_size (`int`, *optional*, defaults to `192`): Width of the model; a multiple of 16.
        num_layers (`int`, *optional*, defaults to `4`): Number of layers.
        vocab_size (`int`, *optional*, defaults to `700`): Largest number of tokens.

    Returns:
        `tuple`: The model (1.9 M parameters with the default arguments) and its tokenizer.
    """
    texts = [text for row in dataset for text in (row["prompt"], *row["solutions"])]
    tokenizer = _train_tokenizer(texts, vocab_size)
    set_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=hidden_size * 8 // 3,
        num_hidden_layers=num_layers,
        num_attention_heads=max(1, hidden_size // 48),
        max_position_embeddings=512,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return LlamaForCausalLM(config), tokenizer


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
