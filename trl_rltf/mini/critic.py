"""A critic small enough to learn the outcomes of MiniAPPS programs on two CPU cores."""

from __future__ import annotations

from typing import Any

from transformers import LlamaForTokenClassification, set_seed

from ..execution import Outcome
from .models import llama_config


def make_mini_critic(
    tokenizer: Any, seed: int = 0, hidden_size: int = 128, num_layers: int = 3
) -> LlamaForTokenClassification:
    """
    Make an untrained token classifier of the outcomes of programs. It reads from left to right, so that what it says at a
    token depends on nothing that comes after.

    Args:
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer, such as that of [`make_mini_model`].
        seed (`int`, *optional*, defaults to `0`): Seed of the weights.
        hidden_size (`int`, *optional*, defaults to `128`): Width of the model; a multiple of 32.
        num_layers (`int`, *optional*, defaults to `3`): Number of layers.

    Returns:
        [`~transformers.LlamaForTokenClassification`]: The critic (0.7 M parameters with the default arguments).
    """
    labels = [outcome.name for outcome in sorted(Outcome) if outcome is not Outcome.NOT_GRADABLE]
    set_seed(seed)
    config = llama_config(
        tokenizer,
        hidden_size,
        num_layers,
        num_heads=max(1, hidden_size // 32),
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
    )
    return LlamaForTokenClassification(config)
