"""Sample programs from a model for held-out problems, grade them and estimate pass@k."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset

from ..completions import extract_program
from ..execution import Outcome, Program, Runner
from ..generation.sampling import Sampling, generate_completions
from .pass_at_k.pass_at_k import estimate_pass_at_k
from .statistics import Estimate, bootstrap_interval


@dataclass(frozen=True, slots=True)
class PolicyEvaluation:
    """
    How a model does on a set of problems.

    Args:
        num_samples (`int`): Samples a problem.
        num_correct (`tuple[int, ...]`): Correct samples of each problem.
        outcome_shares (`dict[str, float]`): Share of samples with each outcome, by what the tests use.
        num_whole_correct (`tuple[int, ...]`, *optional*): Correct samples of each problem that have no error in what follows
            either, as LiveCodeBench counts. Without it, these are all correct ones.
        trailing_error_share (`float`, *optional*, defaults to `0.0`): Share of samples with such an error.
        clipped_share (`float`, *optional*, defaults to `0.0`): Share of samples that were cut at the length limit.
    """

    num_samples: int
    num_correct: tuple[int, ...]
    outcome_shares: dict[str, float]
    num_whole_correct: tuple[int, ...] | None = None
    trailing_error_share: float = 0.0
    clipped_share: float = 0.0

    def pass_at_k(self, k: int, whole_module: bool = False) -> float:
        """Mean over problems of the unbiased estimate of pass@k, by what the tests use or by the whole module."""
        return float(self._scores(k, whole_module).mean())

    def interval(self, k: int, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
        """Bootstrap interval of pass@k over problems."""
        return bootstrap_interval(self._scores(k), level, seed)

    def gain_over(self, other: PolicyEvaluation, k: int, level: float = 0.95, seed: int = 0) -> Estimate:
        """
        Difference of pass@k to another evaluation of the same problems, paired problem by problem.

        Args:
            other ([`PolicyEvaluation`]): What is subtracted.
            k (`int`): The k of pass@k.
            level (`float`, *optional*, defaults to `0.95`): Level of the bootstrap interval.
            seed (`int`, *optional*, defaults to `0`): Seed of the bootstrap.

        Returns:
            [`Estimate`]: The mean difference and its interval over problems.

        Raises:
            ValueError: If the evaluations are of different numbers of problems.
        """
        if len(self.num_correct) != len(other.num_correct):
            raise ValueError(
                f"A paired difference needs the same problems, but there are {len(self.num_correct)} and "
                f"{len(other.num_correct)}."
            )
        gains = self._scores(k) - other._scores(k)
        return Estimate(float(gains.mean()), *bootstrap_interval(gains, level, seed))

    def _scores(self, k: int, whole_module: bool = False) -> np.ndarray:
        correct = self.num_correct
        if whole_module and self.num_whole_correct is not None:
            correct = self.num_whole_correct
        return estimate_pass_at_k([self.num_samples] * len(correct), correct, k)


def evaluate_policy(
    model: Any,
    tokenizer: Any,
    dataset: Dataset,
    runner: Runner,
    num_samples: int = 10,
    temperature: float = 0.6,
    top_p: float = 0.95,
    max_completion_length: int = 128,
    max_prompt_length: int | None = None,
    batch_size: int = 64,
    seed: int = 0,
    description: str = "evaluating",
) -> PolicyEvaluation:
    """
    Sample programs for each problem and grade them.

    Args:
        model ([`~transformers.PreTrainedModel`]): Causal or encoder-decoder language model.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Its tokenizer.
        dataset ([`~datasets.Dataset`]): Problems, with columns `prompt` and `tests`.
        runner ([`~execution.Runner`]): What runs the tests.
        num_samples (`int`, *optional*, defaults to `10`): Samples a problem.
        temperature (`float`, *optional*, defaults to `0.6`): Sampling temperature.
        top_p (`float`, *optional*, defaults to `0.95`): Share of the probability that is sampled from.
        max_completion_length (`int`, *optional*, defaults to `128`): Tokens a sample may have.
        max_prompt_length (`int`, *optional*): Tokens a prompt may have; longer ones lose the beginning of their content.
        batch_size (`int`, *optional*, defaults to `64`): Samples generated at a time.
        seed (`int`, *optional*, defaults to `0`): Seed of the sampling; the random state of the caller is left as it was.
        description (`str`, *optional*, defaults to `"evaluating"`): Label of the progress bar.

    Returns:
        [`PolicyEvaluation`]: Correct samples of each problem, and the shares of the outcomes, of errors in trailing code and of
        samples that were cut at the length limit.

    Raises:
        ValueError: If there are no problems, or no samples are asked for.
    """
    if num_samples < 1 or len(dataset) == 0:
        raise ValueError(f"There is nothing to sample: {num_samples} samples for each of {len(dataset)} problems.")
    requests = [(index, prompt) for index, prompt in enumerate(dataset["prompt"]) for _ in range(num_samples)]
    sampling = Sampling(temperature, top_p, max_completion_length, max_prompt_length)
    prompts = [prompt for _, prompt in requests]
    completions = generate_completions(
        model, tokenizer, prompts, sampling, batch_size=batch_size, seed=seed, description=description
    )
    tests = dataset["tests"]
    reports = runner.run(
        [
            Program(extract_program(text).code, tests[index])
            for (index, _), text in zip(requests, completions, strict=True)
        ]
    )
    correct, whole = [0] * len(dataset), [0] * len(dataset)
    for (index, _), report in zip(requests, reports, strict=True):
        correct[index] += report.outcome is Outcome.PASS
        whole[index] += report.whole_module_outcome is Outcome.PASS
    counts = Counter(report.outcome.name for report in reports)
    shares = {outcome.name: counts[outcome.name] / len(reports) for outcome in reversed(Outcome)}
    return PolicyEvaluation(
        num_samples,
        tuple(correct),
        shares,
        tuple(whole),
        sum(report.trailing_error_type is not None for report in reports) / len(reports),
        sum(completion.is_clipped for completion in completions) / len(completions),
    )
