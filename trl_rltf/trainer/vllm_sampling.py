"""Sample through vLLM: greedy decoding, and a warning of lost gradients."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from .rltf_config import RLTFConfig


logger = logging.getLogger(__name__)

# Arguments of vLLM's `SamplingParams` that change the distribution of the next token, with the values that do not.
# The first are also fields of TRL's configuration, and all of them can be in its `generation_kwargs`.
_FIELDS: dict[str, tuple[Any, ...]] = {
    "top_p": (1.0,),
    "top_k": (0, -1, None),
    "min_p": (0.0, None),
    "repetition_penalty": (1.0,),
}
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    **_FIELDS,
    "frequency_penalty": (0.0,),
    "presence_penalty": (0.0,),
    "min_tokens": (0,),
    "logit_bias": (None, {}),
    "bad_words": (None, []),
    "allowed_token_ids": (None,),
    "structured_outputs": (None,),
}
_GREEDY = {"temperature": 0.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0}


@contextlib.contextmanager
def decoding_greedily(generation: Any) -> Iterator[None]:
    """
    Have vLLM decode greedily.

    Args:
        generation (`trl.generation.vllm_generation.VLLMGeneration`): TRL's access to vLLM.
    """
    kept = generation.generation_kwargs
    generation.generation_kwargs = {**kept, **_GREEDY}  # these replace TRL's settings, in both modes
    try:
        yield
    finally:
        generation.generation_kwargs = kept


def changed_distribution(args: RLTFConfig) -> dict[str, Any]:
    """
    Return the settings that change the distribution which vLLM samples from.

    vLLM returns log-probs of the distribution that it samples from, after truncation and penalties. TRL computes log-probs
    over the whole vocabulary, at `temperature` and without penalties.

    Args:
        args ([`RLTFConfig`]): Settings.

    Returns:
        `dict`: The settings, by the names of TRL's arguments.
    """
    used = {name: getattr(args, name) for name in _FIELDS} | (args.generation_kwargs or {})
    neutral = {**_NEUTRAL, "temperature": (args.temperature,)}
    changed = {name: value for name, value in used.items() if name in neutral and value not in neutral[name]}
    if args.vllm_structured_outputs_regex is not None:
        changed["vllm_structured_outputs_regex"] = args.vllm_structured_outputs_regex
    return changed


def warn_of_vanishing_ratio(args: RLTFConfig) -> None:
    """
    Warn where TRL's correction for vLLM would take away the gradient.

    The ratio of a sequence is the product, over its tokens, of the share of the probability that truncation leaves: 0.99 per
    token is 0.4 after 96 tokens, and 0.006 after 512. A ratio per token is at least `top_p`.

    Args:
        args ([`RLTFConfig`]): Settings.
    """
    mode = args.vllm_importance_sampling_mode
    if not (args.use_vllm and args.vllm_importance_sampling_correction and mode.startswith("sequence")):
        return
    changed = changed_distribution(args)
    if changed:
        logger.warning(
            "vLLM samples with %s, and its log-probs are those of the distribution that is left; TRL compares them with log-probs "
            "over the whole vocabulary. With `vllm_importance_sampling_mode=%r` the ratios of all tokens are multiplied: the "
            "product goes to 0 with the length of a completion, and the gradient with it. Set "
            "`vllm_importance_sampling_mode='token_truncate'` (as the paper's preset does), or sample without these settings.",
            ", ".join(f"`{name}={value!r}`" for name, value in changed.items()),
            mode,
        )
