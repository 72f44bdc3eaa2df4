"""Write programs anew from where a critic believed in them most: the critic sampling of CodeRL (arXiv 2207.01780)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch

from ..execution import Outcome
from ..generation.completion import Completion
from ..generation.sampling import (
    Sampling,
    completions_of,
    encode_prompt,
    end_tokens,
    generation_arguments,
)
from ..generation.settings import ignoring_generation_config
from .model import OUTCOMES, Critic, CriticOutput


def refine_with_critic(
    model: Any,
    tokenizer: Any,
    critic: Critic,
    prompts: Sequence[Any],
    completions: Sequence[Sequence[str]],
    passed: Sequence[Sequence[bool]] | None,
    sampling: Sampling,
    num_samples: int = 10,
    num_prefixes: int = 1,
    batch_size: int = 64,
    seed: int = 0,
) -> list[list[Completion]]:
    """
    Write new programs for problems from the best beginnings of old ones.

    Of the completions of a problem, those that pass the visible tests are candidates; if none does, all are. The
    `num_prefixes` that the critic believes in most are cut off by [`best_prefix`], and the policy goes on from there.

    Args:
        model ([`~transformers.PreTrainedModel`]): Policy, causal or encoder-decoder.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Its tokenizer.
        critic ([`~rewards.Critic`]): The critic.
        prompts (`Sequence`): Prompt of each problem, as text or as chat messages.
        completions (`Sequence[Sequence[str]]`): Completions of each problem, as text.
        passed (`Sequence[Sequence[bool]]` or `None`): Whether each of them passes the visible tests. `None` if there are no
            such tests: then all are candidates.
        sampling ([`Sampling`]): How to sample.
        num_samples (`int`, *optional*, defaults to `10`): New completions a problem.
        num_prefixes (`int`, *optional*, defaults to `1`): Old completions a problem that they are made from, in turn.
        batch_size (`int`, *optional*, defaults to `64`): Completions generated at a time.
        seed (`int`, *optional*, defaults to `0`): Seed of the sampling.

    Returns:
        `list[list[Completion]]`: New completions of each problem, prefix included, to be graded like any others.

    Raises:
        ValueError: If a problem has no completions, `passed` has another shape, or a number is below 1.
    """
    if num_samples < 1 or num_prefixes < 1:
        raise ValueError(f"`num_samples={num_samples}` and `num_prefixes={num_prefixes}` must be at least 1.")
    marks = [[True] * len(texts) for texts in completions] if passed is None else passed
    if len(prompts) != len(completions) or list(map(len, completions)) != list(map(len, marks)):
        raise ValueError("`completions` and `passed` need one entry a problem, and `passed` one for each completion.")
    requests = []
    for index, (prompt, texts, good) in enumerate(zip(prompts, completions, marks, strict=True)):
        if not texts:
            raise ValueError(f"Problem {index} has no completions to start from. Sample some first.")
        candidates = [text for text, is_good in zip(texts, good, strict=True) if is_good] or list(texts)
        outputs = dict(zip(candidates, critic([prompt] * len(candidates), candidates), strict=True))
        best = sorted(outputs.items(), key=_belief, reverse=True)[:num_prefixes]
        prefixes = itertools.cycle(best_prefix(text, output) for text, output in best)
        requests += [(prompt, prefix) for prefix in itertools.islice(prefixes, num_samples)]
    beginnings = [prompt for prompt, _ in requests], [prefix for _, prefix in requests]
    texts = continue_completions(model, tokenizer, *beginnings, sampling, batch_size, seed)
    return [texts[start : start + num_samples] for start in range(0, len(texts), num_samples)]


def _belief(candidate: tuple[str, CriticOutput]) -> float:
    return float(candidate[1].verdict[OUTCOMES.index(Outcome.PASS)])


def best_prefix(completion: str, output: CriticOutput) -> str:
    """
    Cut a completion off after the token at which the critic believes most that it will pass.

    Its last token does not count: from there, nothing would be left to write anew.

    Args:
        completion (`str`): The completion.
        output ([`~rewards.CriticOutput`]): What the critic says of it.

    Returns:
        `str`: Beginning of the completion; the first of the best. Empty if it has one token or none.
    """
    probabilities = output.probabilities(Outcome.PASS)[:-2]  # nor does the end
    return completion[: output.ranges[int(probabilities.argmax())][1]] if len(probabilities) else ""


@torch.no_grad()
def continue_completions(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Any],
    prefixes: Sequence[str],
    sampling: Sampling,
    batch_size: int = 64,
    seed: int = 0,
) -> list[Completion]:
    """
    Sample completions that begin as given.

    Args:
        model ([`~transformers.PreTrainedModel`]): Policy, causal or encoder-decoder.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Its tokenizer.
        prompts (`Sequence`): Prompts, as text or as chat messages.
        prefixes (`Sequence[str]`): How the completion of each prompt begins; an empty one is sampled from the start.
        sampling ([`Sampling`]): How to sample; the prefix counts among the tokens that a completion may have.
        batch_size (`int`, *optional*, defaults to `64`): Completions generated at a time.
        seed (`int`, *optional*, defaults to `0`): Seed of the sampling; the random state of the caller is left as it was.

    Returns:
        `list[Completion]`: Completions, prefix included.
    """
    is_encoder_decoder = model.config.is_encoder_decoder
    known: dict[str, list[int]] = {}
    rows = []
    for index, (prompt, prefix) in enumerate(zip(prompts, prefixes, strict=True)):
        prompt_ids = encode_prompt(tokenizer, prompt, sampling.max_prompt_length, known)
        prefix_ids = _prefix_ids(tokenizer, prefix, is_encoder_decoder)[: sampling.max_completion_length]
        rows.append((index, prompt_ids, prefix_ids))
    # Prefixes of one length together: nothing has to be padded inside a decoder's input.
    rows.sort(key=lambda row: len(row[2]))
    groups = [list(g) for _, g in itertools.groupby(rows, key=lambda row: len(row[2]) if is_encoder_decoder else 0)]
    batches = [group[start : start + batch_size] for group in groups for start in range(0, len(group), batch_size)]
    texts = [Completion("")] * len(rows)
    was_training = model.training
    model.eval()
    with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        torch.manual_seed(seed)
        for batch in batches:
            for (index, _, _), text in zip(batch, _continue(model, tokenizer, batch, sampling), strict=True):
                texts[index] = text
    model.train(was_training)
    return texts


def _continue(
    model: Any, tokenizer: Any, batch: Sequence[tuple[int, list[int], list[int]]], sampling: Sampling
) -> list[Completion]:
    is_encoder_decoder = model.config.is_encoder_decoder
    contexts = [ids if is_encoder_decoder else [*ids, *prefix_ids] for _, ids, prefix_ids in batch]
    # As for completions without a prefix: an encoder is padded at the end, a causal model in front.
    side = "right" if is_encoder_decoder else "left"
    inputs = tokenizer.pad({"input_ids": contexts}, return_tensors="pt", padding_side=side).to(model.device)
    arguments: dict[str, Any] = {key: inputs[key] for key in ("input_ids", "attention_mask")}
    skipped = inputs["input_ids"].size(1)
    if is_encoder_decoder:
        start = [[_decoder_start(model), *prefix_ids] for _, _, prefix_ids in batch]
        arguments["decoder_input_ids"] = torch.tensor(start, device=model.device)
        skipped = len(start[0])
    with ignoring_generation_config(model):
        generated = model.generate(
            **arguments,
            **generation_arguments(model, tokenizer, sampling),
            max_new_tokens=max(1, sampling.max_completion_length - min(len(prefix_ids) for _, _, prefix_ids in batch)),
        )
    # Decoded together with the prefix: some tokenizers drop a blank at the beginning of a text.
    rows = zip(batch, generated[:, skipped:].tolist(), strict=True)
    ids = [[*prefix_ids, *new_ids][: sampling.max_completion_length] for (_, _, prefix_ids), new_ids in rows]
    new = [row[len(prefix_ids) :] for row, (_, _, prefix_ids) in zip(ids, batch, strict=True)]
    return completions_of(tokenizer, ids, new, end_tokens(model, tokenizer), sampling.stop_strings)


def _decoder_start(model: Any) -> int:
    start = model.generation_config.decoder_start_token_id
    token: int = model.config.decoder_start_token_id if start is None else start
    return token


def _prefix_ids(tokenizer: Any, prefix: str, is_encoder_decoder: bool) -> list[int]:
    if not prefix:
        return []
    # A decoder of its own begins as its tokenizer says (CodeT5: with `<s>`); a causal model goes on after the prompt.
    ids: list[int] = tokenizer(prefix, add_special_tokens=is_encoder_decoder)["input_ids"]
    return ids[:-1] if ids[-1:] == [tokenizer.eos_token_id] else ids
