"""A critic small enough to learn the outcomes of MiniAPPS programs on a CPU."""

from __future__ import annotations

from typing import Any

from transformers import LlamaForTokenClassification, set_seed

from ..critic.model import LABEL_SETTINGS
from .models import llama_config


def make_mini_critic(
    tokenizer: Any, *, seed: int = 0, hidden_size: int = 128, num_layers: int = 3
) -> LlamaForTokenClassification:
    """
    Make an untrained token classifier of the outcomes of programs.

    It is causal: its prediction at a token depends on no later token.

    Args:
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer, such as that of [`make_mini_model`].
        seed (`int`, *optional*, defaults to `0`): Seed of the weights.
        hidden_size (`int`, *optional*, defaults to `128`): Width of the model; a multiple of 32.
        num_layers (`int`, *optional*, defaults to `3`): Number of layers.

    Returns:
        [`~transformers.LlamaForTokenClassification`]: The critic (0.7 M parameters with the default arguments).
    """
    set_seed(seed)
    num_heads = max(1, hidden_size // 32)
    config = llama_config(tokenizer, hidden_size, num_layers, num_heads, **LABEL_SETTINGS)
    return LlamaForTokenClassification(config)
