"""Sample from a model and not from its habits: what its generation settings say beside special tokens is set aside."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from transformers import GenerationConfig


_TOKENS = ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")


@contextlib.contextmanager
def ignoring_generation_config(model: Any) -> Iterator[None]:
    """
    Take beams, forced tokens, penalties and the like out of a model's generation settings for a while.

    `generate` fills in from these settings whatever a caller leaves open. BART's, for one, force the first and the last token and
    search with beams, so that what comes out is no sample of the model.

    Args:
        model ([`~transformers.PreTrainedModel`] or [`~peft.PeftModel`]): The model, unwrapped.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    own = base.generation_config
    base.generation_config = GenerationConfig(**{name: getattr(own, name) for name in _TOKENS})
    try:
        yield
    finally:
        base.generation_config = own
