"""Positions of padded prompts, for models with a table of positions (GPT-2)."""

from __future__ import annotations

from typing import Any

import torch


def counts_padding(model: Any) -> bool:
    """
    Return whether the positions of a causal model count padding.

    Positions of models with rotary or ALiBi embeddings are relative, so padding makes no difference. Models with a table
    of positions (`wpe` in transformers) count from the first column. `generate` passes them position ids; a plain
    forward pass does not.

    Args:
        model ([`~transformers.PreTrainedModel`] or [`~peft.PeftModel`]): Causal language model.
    """
    return any(name.rpartition(".")[2] == "wpe" for name, _ in model.named_modules())


def with_positions(model: Any) -> Any:
    """
    Return the forward pass of a model, with positions from the first token.

    Args:
        model ([`torch.nn.Module`]): Causal language model, possibly wrapped for several processes.
    """

    def forward(attention_mask: torch.Tensor, **kwargs: Any) -> Any:
        position_ids = (attention_mask.cumsum(1) - 1).clamp(min=0)
        return model(attention_mask=attention_mask, position_ids=position_ids, **kwargs)

    return forward
