"""Sources of the programs of an evaluation: a policy, or reference solutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..completions import extract_program
from ..generation.completion import Completion
from ..generation.sampling import Sampling, generate_completions, weights_fingerprint
from .prompt_styles import PromptStyle, styled_completions, styled_prompt, styled_sampling


class Sampler(Protocol):
    """Source of the completions of problems. A sampler is not callable itself."""

    @property
    def fingerprint(self) -> str:
        """Digest that distinguishes this sampler from others of the same name."""
        ...

    def sample(self, problems: Sequence[Mapping[str, Any]], num_samples: int, seed: int) -> Sequence[Sequence[str]]:
        """
        Give completions for each problem, the same ones for the same seed.

        Args:
            problems (`Sequence[Mapping]`): Rows of the problems.
            num_samples (`int`): Completions per problem.
            seed (`int`): Seed of the sampling.

        Returns:
            `Sequence[Sequence[str]]`: Completions of each problem. If they are of class [`~generation.Completion`], the
            evaluation counts those that were cut at the length limit.
        """
        ...

    def program(self, completion: str) -> str:
        """Find the program in a completion."""
        ...


@dataclass(slots=True)
class PolicySampler:
    """
    Completions of a language model.

    Args:
        model ([`~transformers.PreTrainedModel`]): Causal or encoder-decoder language model.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Its tokenizer.
        sampling ([`Sampling`]): How to sample.
        batch_size (`int`, *optional*, defaults to `64`): Completions generated at a time.
        prompt_style (`str`, *optional*, defaults to `"plain"`): Form of the prompts: `"plain"`, text; `"chat"`, a message of a user;
            `"code_block"`, a message that asks for a code block, and an answer that begins with one.
        description (`str`, *optional*): Label of a progress bar; none by default.
    """

    model: Any
    tokenizer: Any
    sampling: Sampling
    batch_size: int = field(default=64, kw_only=True)
    prompt_style: PromptStyle = field(default="plain", kw_only=True)
    description: str | None = field(default=None, kw_only=True)

    @property
    def fingerprint(self) -> str:
        """Digest of the weights."""
        return weights_fingerprint(self.model)

    def prompt(self, problem: Mapping[str, Any]) -> Any:
        """Prompt of a problem, as text or as chat messages."""
        return styled_prompt(problem, self.prompt_style)

    def sample(self, problems: Sequence[Mapping[str, Any]], num_samples: int, seed: int) -> list[list[Completion]]:
        """Sample from the model, in batches across problems."""
        prompts = [self.prompt(row) for row in problems]
        completions = generate_completions(
            self.model,
            self.tokenizer,
            [prompt for prompt in prompts for _ in range(num_samples)],
            styled_sampling(self.sampling, self.prompt_style),
            batch_size=self.batch_size,
            seed=seed,
            description=self.description,
        )
        completions = styled_completions(completions, self.prompt_style)
        return [completions[i : i + num_samples] for i in range(0, len(completions), num_samples)]

    def program(self, completion: str) -> str:
        """The fenced block, or the whole completion."""
        return extract_program(completion).code


@dataclass(frozen=True, slots=True)
class ReferenceSampler:
    """
    The reference solutions of each problem in turn.

    They are for checks of the grader and the data: all of them should pass.
    """

    fingerprint: str = "reference"

    def sample(self, problems: Sequence[Mapping[str, Any]], num_samples: int, seed: int) -> list[list[str]]:
        """Take the solutions in their order; start again if there are too few."""
        return [[row["solutions"][index % len(row["solutions"])] for index in range(num_samples)] for row in problems]

    def program(self, completion: str) -> str:
        """The solution as it is."""
        return completion


@dataclass(frozen=True, slots=True)
class EmptySampler:
    """Empty programs, for checks of the grader and the data: none should pass."""

    fingerprint: str = "empty"

    def sample(self, problems: Sequence[Mapping[str, Any]], num_samples: int, seed: int) -> list[list[str]]:
        """Give empty completions."""
        return [[""] * num_samples for _ in problems]

    def program(self, completion: str) -> str:
        """The empty program."""
        return completion
