"""Completions that a policy writes anew from a critic's best prefixes, as an evaluation takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..completions import extract_program
from ..execution import Outcome, Program, Runner
from ..generation.completion import Completion
from ..generation.sampling import weights_fingerprint
from ..metrics.samplers import PolicySampler
from . import Critic
from .sampling import refine_with_critic


@dataclass(slots=True)
class CriticSampler:
    """
    Critic sampling (CodeRL): sample as often as asked for, run the visible tests, cut the programs that the critic believes in
    most, and sample as often again from there. Only the second samples count.

    Args:
        policy ([`PolicySampler`]): What samples.
        critic ([`~rewards.Critic`]): What chooses and cuts.
        runner ([`~execution.Runner`]): What runs the visible tests.
        visible_tests (`Callable`): Gives the tests that a problem shows, or `None` if it shows none.
        num_prefixes (`int`, *optional*, defaults to `5`): First samples of a problem that the second ones go on from.
    """

    policy: PolicySampler
    critic: Critic
    runner: Runner
    visible_tests: Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
    num_prefixes: int = 5

    @property
    def fingerprint(self) -> str:
        """Digest of both sets of weights."""
        return f"{self.policy.fingerprint}-{weights_fingerprint(self.critic.model)}"

    def sample(self, problems: Sequence[Mapping[str, Any]], num_samples: int, seed: int) -> list[list[Completion]]:
        """Sample, run the visible tests, and sample again from the best prefixes."""
        first = self.policy.sample(problems, num_samples, seed)
        return refine_with_critic(
            self.policy.model,
            self.policy.tokenizer,
            self.critic,
            [self.policy.prompt(row) for row in problems],
            first,
            self._passed(problems, first),
            self.policy.sampling,
            num_samples,
            self.num_prefixes,
            self.policy.batch_size,
            ~seed,  # the seed of no first samples
        )

    def program(self, completion: str) -> str:
        """The fenced block, or the whole completion."""
        return extract_program(completion).code

    def _passed(self, problems: Sequence[Mapping[str, Any]], completions: list[list[Completion]]) -> list[list[bool]]:
        tests = [self.visible_tests(row) for row in problems]
        programs = [
            Program(self.program(text), visible)
            for visible, texts in zip(tests, completions, strict=True)
            for text in texts
            if visible is not None
        ]
        reports = iter(self.runner.run(programs))
        return [
            [visible is None or next(reports).outcome is Outcome.PASS for _ in texts]
            for visible, texts in zip(tests, completions, strict=True)
        ]
