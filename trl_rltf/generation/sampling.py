"""Sample completions from any policy, causal or encoder-decoder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tqdm.auto import tqdm

from .completion import Completion
from .prompt_shortening import shorten_prompt
from .settings import ignoring_generation_config


_FINGERPRINT_VALUES = 1024  # per parameter: enough to tell two sets of weights apart, and fast for any size


@dataclass(frozen=True, slots=True)
class Sampling:
    """
    Settings for sampling completions.

    The generation config of the model is ignored, except its special tokens.

    Args:
        temperature (`float`, *optional*, defaults to `0.6`): Sampling temperature; 0 is greedy decoding.
        top_p (`float`, *optional*, defaults to `0.95`): Total probability of the most likely tokens to sample from.
        max_completion_length (`int`, *optional*, defaults to `512`): Maximum number of tokens of a completion.
        max_prompt_length (`int`, *optional*): Maximum number of tokens of a prompt. The beginning of longer ones is cut, as in
            [`RLTFTrainer`].
        stop_strings (`tuple[str, ...]`, *optional*): Strings that end a completion; they are not part of it.

    Raises:
        ValueError: If a value is out of range.
    """

    temperature: float = 0.6
    top_p: float = 0.95
    max_completion_length: int = 512
    max_prompt_length: int | None = None
    stop_strings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise ValueError(f"`temperature` is {self.temperature}, but must be at least 0.")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"`top_p` is {self.top_p}, but must be above 0 and at most 1.")
        for name, value in (
            ("max_completion_length", self.max_completion_length),
            ("max_prompt_length", self.max_prompt_length),
        ):
            if value is not None and value < 1:
                raise ValueError(f"`{name}` is {value}, but must be at least 1.")
        if "" in self.stop_strings:
            raise ValueError("`stop_strings` has an empty string, which would end every completion. Remove it.")


@torch.no_grad()
def generate_completions(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Any],
    sampling: Sampling,
    *,
    batch_size: int = 64,
    seed: int = 0,
    description: str | None = None,
) -> list[Completion]:
    """
    Sample one completion per prompt.

    The training mode of the model and the random state of the caller are restored.

    Args:
        model ([`~transformers.PreTrainedModel`]): Causal or encoder-decoder language model.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer of the model.
        prompts (`Sequence`): Prompts, as text or as chat messages; repeat a prompt for several samples of it.
        sampling ([`Sampling`]): Sampling settings.
        batch_size (`int`, *optional*, defaults to `64`): Completions per batch of generation.
        seed (`int`, *optional*, defaults to `0`): Seed of the sampling.
        description (`str`, *optional*): Label of a progress bar. Without it, there is none.

    Returns:
        `list[Completion]`: Decoded completions in the order of the prompts, without special tokens.

    Raises:
        ValueError: If there are chat messages, but the tokenizer has no chat template.
    """
    encoded: dict[str, list[int]] = {}
    completions: list[Completion] = []
    was_training = model.training
    model.eval()
    with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        torch.manual_seed(seed)
        batches = range(0, len(prompts), batch_size)
        bar = tqdm(total=len(prompts), desc=description, unit="program", leave=False, disable=description is None)
        with bar:
            for start in batches:
                ids = [
                    encode_prompt(tokenizer, prompt, sampling.max_prompt_length, encoded)
                    for prompt in prompts[start : start + batch_size]
                ]
                completions += _sample(model, tokenizer, ids, sampling)
                bar.update(len(ids))
    model.train(was_training)
    return completions


def weights_fingerprint(model: Any) -> str:
    """
    Compute a digest that tells two sets of weights apart.

    Args:
        model ([`~transformers.PreTrainedModel`]): Model on any device.

    Returns:
        `str`: Digest of names, shapes and evenly spaced values of all parameters.
    """
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        values = spaced_values(parameter.detach())
        digest.update(f"{name} {tuple(parameter.shape)} ".encode())
        digest.update(values.to("cpu", torch.float32).numpy().tobytes())
    return digest.hexdigest()


def spaced_values(tensor: torch.Tensor) -> torch.Tensor:
    """Evenly spaced values of a tensor, about 1,024 of them."""
    values = tensor.reshape(-1)
    return values[:: max(1, values.numel() // _FINGERPRINT_VALUES)]


def encode_prompt(tokenizer: Any, prompt: Any, max_length: int | None, known: dict[str, list[int]]) -> list[int]:
    """
    Tokenize a prompt, shortened if it is too long.

    Args:
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer.
        prompt (`str` or `list`): Prompt, as text or as chat messages.
        max_length (`int` or `None`): Maximum number of tokens; the beginning of a longer prompt is cut.
        known (`dict`): Cache of token ids by prompt; this prompt is added.

    Returns:
        `list[int]`: Token ids.

    Raises:
        ValueError: If there are chat messages, but the tokenizer has no chat template, or a prompt cannot be shortened enough.
    """
    key = json.dumps(prompt)
    if key not in known:
        if max_length is not None:
            prompt = shorten_prompt(prompt, max_length, lambda text: len(_prompt_ids(tokenizer, text)))
        known[key] = _prompt_ids(tokenizer, prompt)
    return known[key]


def prompt_lengths(tokenizer: Any, prompts: Sequence[Any]) -> list[int]:
    """
    Count the tokens of prompts that have not been shortened.

    Args:
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer.
        prompts (`Sequence`): Prompts, as text or as chat messages.

    Returns:
        `list[int]`: Number of tokens of each prompt, chat template and special tokens included.
    """
    return [len(_prompt_ids(tokenizer, prompt)) for prompt in prompts]


def _prompt_ids(tokenizer: Any, prompt: Any) -> list[int]:
    is_text = isinstance(prompt, str)
    if not is_text:
        if tokenizer.chat_template is None:
            raise ValueError(
                "The prompts are chat messages, but the tokenizer has no chat template. Use plain prompts."
            )
        # As in `trl.apply_chat_template`: an answer that has begun is continued.
        has_begun = prompt[-1]["role"] == "assistant"
        prompt = tokenizer.apply_chat_template(
            prompt, tokenize=False, add_generation_prompt=not has_begun, continue_final_message=has_begun
        )
    # A chat template has the special tokens already.
    ids: list[int] = tokenizer(prompt, add_special_tokens=is_text)["input_ids"]
    return ids


def _sample(model: Any, tokenizer: Any, ids: list[list[int]], sampling: Sampling) -> list[Completion]:
    is_encoder_decoder = model.config.is_encoder_decoder
    # An encoder with absolute positions counts from the first column; a decoder continues after the last one.
    side = "right" if is_encoder_decoder else "left"
    inputs = tokenizer.pad({"input_ids": ids}, return_tensors="pt", padding_side=side).to(model.device)
    with ignoring_generation_config(model):
        generated = model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            **generation_arguments(model, tokenizer, sampling),
            max_new_tokens=sampling.max_completion_length,
        )
    # An encoder-decoder returns the output of its decoder after a start token; a causal model returns the prompt, too.
    start = 1 if is_encoder_decoder else inputs["input_ids"].size(1)
    new_ids = generated[:, start:].tolist()
    return decode_completions(tokenizer, new_ids, new_ids, end_tokens(model, tokenizer), sampling.stop_strings)


def decode_completions(
    tokenizer: Any,
    ids: Sequence[list[int]],
    new_ids: Sequence[list[int]],
    ends: Sequence[int],
    stop_strings: Sequence[str],
) -> list[Completion]:
    """
    Decode completions up to their first stop string.

    Args:
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer.
        ids (`Sequence[list[int]]`): Token ids of each completion.
        new_ids (`Sequence[list[int]]`): The generated part of these token ids.
        ends (`Sequence[int]`): Ids of the end tokens.
        stop_strings (`Sequence[str]`): Strings that end a completion.

    Returns:
        `list[Completion]`: Completions; one with neither an end token nor a stop string is clipped.
    """
    completions = []
    texts = tokenizer.batch_decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    for text, new in zip(texts, new_ids, strict=True):
        shortened = cut_at_stop(text, stop_strings)
        completions.append(Completion(shortened, len(shortened) == len(text) and not set(ends).intersection(new)))
    return completions


def generation_arguments(model: Any, tokenizer: Any, sampling: Sampling) -> dict[str, Any]:
    """
    Make the arguments of `generate`, apart from inputs and lengths.

    Args:
        model ([`~transformers.PreTrainedModel`]): Causal or encoder-decoder language model.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer of the model.
        sampling ([`Sampling`]): Sampling settings.

    Returns:
        `dict[str, Any]`: Keyword arguments. A completion ends at an end token of the tokenizer or of the model, which
        may have a separate token for the end of a turn.
    """
    arguments: dict[str, Any]
    if sampling.temperature == 0:
        arguments = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    else:
        arguments = {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}
    if sampling.stop_strings:
        arguments |= {"stop_strings": list(sampling.stop_strings), "tokenizer": tokenizer}
    return {
        **arguments,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": end_tokens(model, tokenizer),
    }


def end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Ids of the end tokens of tokenizer and model."""
    return config_end_tokens(model.generation_config, tokenizer)


def config_end_tokens(generation_config: Any, tokenizer: Any) -> list[int]:
    """Ids of the end tokens of tokenizer and generation config."""
    ends = generation_config.eos_token_id
    return sorted({tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None})


def cut_at_stop(text: str, stop_strings: Sequence[str]) -> str:
    """The text before the first stop string."""
    ends = [end for end in (text.find(stop) for stop in stop_strings) if end >= 0]
    return text[: min(ends)] if ends else text
