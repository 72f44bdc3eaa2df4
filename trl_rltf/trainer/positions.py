"""Positions of padded prompts, for causal models that look positions up in a table (GPT-2, StarCoder)."""

from __future__ import annotations

from typing import Any

import torch


def counts_padding(model: Any) -> bool:
    """
    Whether a causal model takes the padding before a prompt for text, unless it is told the positions.

    Models with relative positions (rotary, ALiBi) do not care; those with a table of positions (`wpe` in transformers) do.
    `generate` tells them, a plain forward pass has to.

    Args:
        model ([`~transformers.PreTrainedModel`] or [`~peft.PeftModel`]): The model.
    """
    return any(name.rpartition(".")[2] == "wpe" for name, _ in model.named_modules())


def with_positions(model: Any) -> Any:
    """
    The model's forward pass, with positions that begin at the first token that is not padding.

    Args:
        model ([`torch.nn.Module`]): Causal language model, perhaps wrapped for several processes.
    """

    def forward(attention_mask: torch.Tensor, **kwargs: Any) -> Any:
        position_ids = (attention_mask.cumsum(1) - 1).clamp(min=0)
        return model(attention_mask=attention_mask, position_ids=position_ids, **kwargs)

    return forward
