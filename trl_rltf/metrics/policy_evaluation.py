"""Sample programs from a model for held-out problems, grade them and estimate pass@k."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from tqdm.auto import tqdm

from ..execution import Outcome, Program, Runner
from ..rewards import extract_program
from .pass_at_k.pass_at_k import estimate_pass_at_k


_NUM_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class PolicyEvaluation:
    """
    How a model does on a set of problems.

    Args:
        num_samples (`int`): Samples a problem.
        num_correct (`tuple[int, ...]`): Correct samples of each problem.
        outcome_shares (`dict[str, float]`): Share of samples with each outcome.
    """

    num_samples: int
    num_correct: tuple[int, ...]
    outcome_shares: dict[str, float]

    def pass_at_k(self, k: int) -> float:
        """Mean over problems of the unbiased estimate of pass@k."""
        return float(estimate_pass_at_k([self.num_samples] * len(self.num_correct), self.num_correct, k).mean())

    def interval(self, k: int, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
        """Bootstrap interval of pass@k over problems."""
        scores = estimate_pass_at_k([self.num_samples] * len(self.num_correct), self.num_correct, k)
        rng = np.random.default_rng(seed)
        means = rng.choice(scores, (_NUM_RESAMPLES, len(scores))).mean(axis=1)
        low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)


@torch.no_grad()
def evaluate_policy(
    model: Any,
    tokenizer: Any,
    dataset: Dataset,
    runner: Runner,
    num_samples: int = 10,
    temperature: float = 0.6,
    top_p: float = 0.95,
    max_new_tokens: int = 128,
    max_prompt_length: int | None = None,
    batch_size: int = 64,
    seed: int = 0,
    description: str = "evaluating",
) -> PolicyEvaluation:
    """
    Sample programs for each problem and grade them.

    Args:
        model ([`~transformers.PreTrainedModel`]): Causal language model.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Its tokenizer; prompts are padded on the left.
        dataset ([`~datasets.Dataset`]): Problems, with columns `prompt` and `tests`.
        runner ([`~execution.Runner`]): What runs the tests.
        num_samples (`int`, *optional*, defaults to `10`): Samples a problem.
        temperature (`float`, *optional*, defaults to `0.6`): Sampling temperature.
        top_p (`float`, *optional*, defaults to `0.95`): Share of the probability that is sampled from.
        max_new_tokens (`int`, *optional*, defaults to `128`): Tokens a sample may have.
        max_prompt_length (`int`, *optional*): Tokens a prompt may have; longer ones lose their beginning.
        batch_size (`int`, *optional*, defaults to `64`): Samples generated at a time.
        seed (`int`, *optional*, defaults to `0`): Seed of the sampling; the random state of the caller is left as it was.
        description (`str`, *optional*, defaults to `"evaluating"`): Label of the progress bar.

    Returns:
        [`PolicyEvaluation`]: Correct samples of each problem and the shares of the outcomes.

    Raises:
        ValueError: If there are no problems, or no samples are asked for.
    """
    if num_samples < 1 or len(dataset) == 0:
        raise ValueError(f"There is nothing to sample: {num_samples} samples for each of {len(dataset)} problems.")
    requests = [(index, prompt) for index, prompt in enumerate(dataset["prompt"]) for _ in range(num_samples)]
    completions: list[str] = []
    was_training = model.training
    model.eval()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for start in tqdm(range(0, len(requests), batch_size), desc=description, leave=False):
            prompts = [prompt for _, prompt in requests[start : start + batch_size]]
            completions += _sample(model, tokenizer, prompts, temperature, top_p, max_new_tokens, max_prompt_length)
    model.train(was_training)
    tests = dataset["tests"]
    reports = runner.run(
        [
            Program(extract_program(text).source, tests[index])
            for (index, _), text in zip(requests, completions, strict=True)
        ]
    )
    correct = [0] * len(dataset)
    for (index, _), report in zip(requests, reports, strict=True):
        correct[index] += report.outcome is Outcome.PASS
    counts = Counter(report.outcome.name for report in reports)
    shares = {outcome.name: counts[outcome.name] / len(reports) for outcome in reversed(Outcome)}
    return PolicyEvaluation(num_samples, tuple(correct), shares)


def _sample(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Any],
    temperature: float,
    top_p: float,
    max_new_tokens: int,
    max_prompt_length: int | None,
) -> list[str]:
    texts: list[str] = [
        prompt
        if isinstance(prompt, str)
        else tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
        for prompt in prompts
    ]
    ids = [tokenizer(text)["input_ids"] for text in texts]
    if max_prompt_length is not None:
        ids = [row[-max_prompt_length:] for row in ids]
    inputs = tokenizer.pad({"input_ids": ids}, return_tensors="pt", padding_side="left")
    inputs = inputs.to(model.device)
    generated = model.generate(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        do_sample=True,
        temperature=temperature,
        top_p=top_p,
        top_k=0,
        max_new_tokens=max_new_tokens,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    decoded: list[str] = tokenizer.batch_decode(generated[:, inputs["input_ids"].size(1) :], skip_special_tokens=True)
    return decoded
