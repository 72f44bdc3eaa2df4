"""Ignore a model's generation config, except its special tokens, while sampling."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from transformers import GenerationConfig


_SPECIAL_TOKENS = ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")


@contextlib.contextmanager
def ignoring_generation_config(model: Any) -> Iterator[None]:
    """
    Ignore a model's generation config, except its special tokens, while sampling.

    `generate` takes each argument that the caller does not pass from the generation config. That of BART, for example, forces
    the first and the last token and uses beam search, so its outputs are not samples of the model.

    Args:
        model ([`~transformers.PreTrainedModel`] or [`~peft.PeftModel`]): The model, unwrapped.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    generation_config = base.generation_config
    base.generation_config = GenerationConfig(**{name: getattr(generation_config, name) for name in _SPECIAL_TOKENS})
    try:
        yield
    finally:
        base.generation_config = generation_config
