"""Resample programs from a critic's best prefixes: the critic sampling of CodeRL."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..completions import extract_program
from ..execution import Outcome, Program, Runner
from ..execution.limits import problem_limits
from ..generation.completion import Completion
from ..generation.sampling import (
    Sampling,
    decode_completions,
    encode_prompt,
    end_tokens,
    generation_arguments,
    weights_fingerprint,
)
from ..generation.settings import ignoring_generation_config
from ..metrics.samplers import PolicySampler
from .model import OUTCOMES, Critic, CriticOutput


def refine_with_critic(
    model: Any,
    tokenizer: Any,
    critic: Critic,
    prompts: Sequence[Any],
    completions: Sequence[Sequence[str]],
    passed: Sequence[Sequence[bool]] | None,
    sampling: Sampling,
    *,
    num_samples: int = 10,
    num_prefixes: int = 1,
    batch_size: int = 64,
    seed: int = 0,
) -> list[list[Completion]]:
    """
    Sample new programs from the best prefixes of earlier ones.

    The candidates are the completions of a problem that pass the visible tests, or all if none does. Those `num_prefixes` to
    which the critic gives the highest probability of `PASS` are cut by [`best_prefix`], and the policy continues from there.

    Args:
        model ([`~transformers.PreTrainedModel`]): Policy, causal or encoder-decoder.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer of the policy.
        critic ([`Critic`]): The critic.
        prompts (`Sequence`): Prompt of each problem, as text or as chat messages.
        completions (`Sequence[Sequence[str]]`): Completions of each problem, as text.
        passed (`Sequence[Sequence[bool]]` or `None`): Whether each completion passes the visible tests. `None` if there are no
            visible tests; all completions are candidates then.
        sampling ([`Sampling`]): Sampling settings.
        num_samples (`int`, *optional*, defaults to `10`): Number of new completions per problem.
        num_prefixes (`int`, *optional*, defaults to `1`): Number of prefixes per problem; new completions use them in turn.
        batch_size (`int`, *optional*, defaults to `64`): Completions per batch of generation.
        seed (`int`, *optional*, defaults to `0`): Seed of the sampling.

    Returns:
        `list[list[Completion]]`: New completions of each problem, prefix included.

    Raises:
        ValueError: If a problem has no completions, the shapes of `completions` and `passed` differ, or a number is below 1.
    """
    if num_samples < 1 or num_prefixes < 1:
        raise ValueError(f"`num_samples={num_samples}` and `num_prefixes={num_prefixes}` must be at least 1.")
    flags = [[True] * len(texts) for texts in completions] if passed is None else passed
    if len(prompts) != len(completions) or list(map(len, completions)) != list(map(len, flags)):
        raise ValueError(
            "`completions` and `passed` need one entry per problem, and `passed` one flag per completion."
        )
    requests = []
    for index, (prompt, texts, is_candidate) in enumerate(zip(prompts, completions, flags, strict=True)):
        if not texts:
            raise ValueError(f"Problem {index} has no completions to start from. Sample some first.")
        candidates = list(itertools.compress(texts, is_candidate)) or list(texts)
        outputs = dict(zip(candidates, critic([prompt] * len(candidates), candidates), strict=True))
        best = sorted(outputs.items(), key=_pass_probability, reverse=True)[:num_prefixes]
        prefixes = itertools.cycle(best_prefix(text, output) for text, output in best)
        requests += [(prompt, prefix) for prefix in itertools.islice(prefixes, num_samples)]
    texts = continue_completions(
        model,
        tokenizer,
        [prompt for prompt, _ in requests],
        [prefix for _, prefix in requests],
        sampling,
        batch_size=batch_size,
        seed=seed,
    )
    return [texts[start : start + num_samples] for start in range(0, len(texts), num_samples)]


def _pass_probability(candidate: tuple[str, CriticOutput]) -> float:
    return float(candidate[1].verdict[OUTCOMES.index(Outcome.PASS)])


def best_prefix(completion: str, output: CriticOutput) -> str:
    """
    Cut a completion after the token with the highest probability of `PASS`.

    The last token is not considered: a cut after it leaves nothing to sample.

    Args:
        completion (`str`): The completion.
        output ([`CriticOutput`]): Prediction of the critic for the completion.

    Returns:
        `str`: Beginning of the completion, the shortest of several with the same probability; empty if the completion has fewer than
        two tokens.
    """
    probabilities = output.probabilities(Outcome.PASS)[:-2]  # without the last token and the end token
    return completion[: output.ranges[int(probabilities.argmax())][1]] if len(probabilities) else ""


@torch.no_grad()
def continue_completions(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Any],
    prefixes: Sequence[str],
    sampling: Sampling,
    *,
    batch_size: int = 64,
    seed: int = 0,
) -> list[Completion]:
    """
    Sample completions that begin with given prefixes.

    Args:
        model ([`~transformers.PreTrainedModel`]): Policy, causal or encoder-decoder.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer of the policy.
        prompts (`Sequence`): Prompts, as text or as chat messages.
        prefixes (`Sequence[str]`): Beginning of the completion of each prompt; may be empty.
        sampling ([`Sampling`]): Sampling settings; the tokens of a prefix count towards `max_completion_length`.
        batch_size (`int`, *optional*, defaults to `64`): Completions per batch of generation.
        seed (`int`, *optional*, defaults to `0`): Seed of the sampling; the random state of the caller is restored.

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
    # Prefixes of equal length share a batch, so the input of a decoder needs no padding.
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
    # As for completions without a prefix: an encoder is padded on the right, a causal model on the left.
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
    # Decode prefix and new tokens together: some tokenizers drop a blank at the beginning of a text.
    rows = zip(batch, generated[:, skipped:].tolist(), strict=True)
    ids = [[*prefix_ids, *new_ids][: sampling.max_completion_length] for (_, _, prefix_ids), new_ids in rows]
    new = [row[len(prefix_ids) :] for row, (_, _, prefix_ids) in zip(ids, batch, strict=True)]
    return decode_completions(tokenizer, ids, new, end_tokens(model, tokenizer), sampling.stop_strings)


def _decoder_start(model: Any) -> int:
    start = model.generation_config.decoder_start_token_id
    token: int = model.config.decoder_start_token_id if start is None else start
    return token


def _prefix_ids(tokenizer: Any, prefix: str, is_encoder_decoder: bool) -> list[int]:
    if not prefix:
        return []
    # The input of a decoder starts with the special tokens of its tokenizer (CodeT5: `<s>`); that of a causal model continues
    # the prompt.
    ids: list[int] = tokenizer(prefix, add_special_tokens=is_encoder_decoder)["input_ids"]
    return ids[:-1] if ids[-1:] == [tokenizer.eos_token_id] else ids


@dataclass(slots=True)
class CriticSampler:
    """
    Critic sampling (CodeRL), as a sampler of an evaluation.

    It draws the requested number of samples, runs the visible tests, cuts the programs with the highest probability of `PASS`,
    and draws the same number of samples from these prefixes. Only the second samples are returned.

    Args:
        policy ([`~metrics.PolicySampler`]): Sampler of the policy.
        critic ([`Critic`]): Critic that selects and cuts programs.
        runner ([`~execution.Runner`]): Runs the visible tests.
        visible_tests (`Callable`): Returns the visible tests of a problem, or `None`, see [`~data.visible_tests`].
        num_prefixes (`int`, *optional*, defaults to `5`): Number of first samples per problem that are continued.
    """

    policy: PolicySampler
    critic: Critic
    runner: Runner
    visible_tests: Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
    num_prefixes: int = 5

    @property
    def fingerprint(self) -> str:
        """Digest of the weights of policy and critic."""
        return f"{self.policy.fingerprint}-{weights_fingerprint(self.critic.model)}"

    def sample(self, problems: Sequence[Mapping[str, Any]], num_samples: int, seed: int) -> list[list[Completion]]:
        """Sample, run the visible tests, and resample from the best prefixes."""
        first = self.policy.sample(problems, num_samples, seed)
        return refine_with_critic(
            self.policy.model,
            self.policy.tokenizer,
            self.critic,
            [self.policy.prompt(row) for row in problems],
            first,
            self._passed(problems, first),
            self.policy.sampling,
            num_samples=num_samples,
            num_prefixes=self.num_prefixes,
            batch_size=self.policy.batch_size,
            seed=~seed,  # negative, so no first samples have this seed
        )

    def program(self, completion: str) -> str:
        """Find the program in a completion."""
        return extract_program(completion).code

    def _passed(self, problems: Sequence[Mapping[str, Any]], completions: list[list[Completion]]) -> list[list[bool]]:
        tests = [self.visible_tests(row) for row in problems]
        programs = [
            Program(self.program(text), visible, **problem_limits(row))
            for row, visible, texts in zip(problems, tests, completions, strict=True)
            for text in texts
            if visible is not None
        ]
        reports = iter(self.runner.run(programs))
        return [
            [visible is None or next(reports).outcome is Outcome.PASS for _ in texts]
            for visible, texts in zip(tests, completions, strict=True)
        ]
