"""Sample completions with vLLM, in this process or at a server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..completions import extract_program
from ..generation.completion import Completion
from ..generation.completions_server import CompletionsServer
from ..generation.sampling import Sampling, cut_at_stop, encode_prompt
from .prompt_styles import PromptStyle, styled_completions, styled_prompt, styled_sampling


_NUM_SEEDS = 2**31  # some servers have 32 bits for a seed


@dataclass(slots=True)
class VLLMSampler:
    """
    Completions of a language model in a vLLM engine of this process.

    The prompts have the token ids that [`PolicySampler`] makes. Each sample has a seed, which depends on the seed of the call,
    the position of the problem and the number of the sample, and not on the other samples of a batch.

    Args:
        engine (`vllm.LLM`): The engine.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer of the model.
        sampling ([`~generation.Sampling`]): How to sample.
        fingerprint (`str`): Digest of the weights, such as [`~generation.weight_files_fingerprint`] makes.
        end_token_ids (`Sequence[int]`, *optional*): Ids of tokens that end a completion, in addition to those that the engine
            knows.
        prompt_style (`str`, *optional*, defaults to `"plain"`): Form of the prompts, see [`PolicySampler`].
        description (`str`, *optional*): Label of a progress bar; none by default.
    """

    engine: Any
    tokenizer: Any
    sampling: Sampling
    fingerprint: str
    end_token_ids: Sequence[int] = field(default=(), kw_only=True)
    prompt_style: PromptStyle = field(default="plain", kw_only=True)
    description: str | None = field(default=None, kw_only=True)

    def prompt(self, problem: Mapping[str, Any]) -> Any:
        """Prompt of a problem, as text or as chat messages."""
        return styled_prompt(problem, self.prompt_style)

    def sample(self, problems: Sequence[Mapping[str, Any]], num_samples: int, seed: int) -> list[list[Completion]]:
        """
        Sample from the model; the engine makes the batches.

        Raises:
            ValueError: If a prompt and a completion of the maximum length do not fit into the context of the engine.
        """
        from vllm import SamplingParams

        ids = _prompt_ids(self, problems)
        _check_lengths(
            ids,
            self.sampling.max_completion_length,
            self.engine.llm_engine.model_config.max_model_len,
            "or raise `vllm_max_model_length` if the model has a longer context",
        )
        prompts = [{"prompt_token_ids": prompt} for prompt in ids for _ in range(num_samples)]
        settings = [SamplingParams(**one) for one in _settings(self, len(ids), num_samples, seed)]
        outputs = self.engine.generate(prompts, settings, use_tqdm=self.description is not None)
        choices = [output.outputs[0] for output in outputs]
        texts = _decode(self.tokenizer, [choice.token_ids for choice in choices])
        completions = [
            _completion(text, choice.finish_reason, self) for text, choice in zip(texts, choices, strict=True)
        ]
        completions = styled_completions(completions, self.prompt_style)
        return [completions[i : i + num_samples] for i in range(0, len(completions), num_samples)]

    def program(self, completion: str) -> str:
        """The fenced block, or the whole completion."""
        return extract_program(completion).code


@dataclass(slots=True)
class VLLMServerSampler:
    """
    Completions of a language model at an OpenAI-compatible server.

    Prompts and seeds are those of [`VLLMSampler`]. vLLM's server returns the token ids of a completion, which are decoded here;
    the text of other servers is taken as it is.

    Args:
        server ([`~generation.CompletionsServer`]): The server.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer of the model.
        sampling ([`~generation.Sampling`]): How to sample.
        weights (`str`, *optional*): Digest of the weights, if their files are on this machine. A server tells the name of its
            model and where it was loaded from, but nothing about its weights.
        end_token_ids (`Sequence[int]`, *optional*): Ids of tokens that end a completion, in addition to those that the server
            knows.
        prompt_style (`str`, *optional*, defaults to `"plain"`): Form of the prompts, see [`PolicySampler`]. Messages go through the
            chat template of the tokenizer.
        description (`str`, *optional*): Label of a progress bar; none by default.
    """

    server: CompletionsServer
    tokenizer: Any
    sampling: Sampling
    weights: str | None = field(default=None, kw_only=True)
    end_token_ids: Sequence[int] = field(default=(), kw_only=True)
    prompt_style: PromptStyle = field(default="plain", kw_only=True)
    description: str | None = field(default=None, kw_only=True)

    @property
    def fingerprint(self) -> str:
        """Name of the model, where the server loaded it from, digest of its files."""
        return (
            f"{self.server.model} from {self.server.origin or 'an unknown place'}, {self.weights or 'without digest'}"
        )

    def prompt(self, problem: Mapping[str, Any]) -> Any:
        """Prompt of a problem, as text or as chat messages."""
        return styled_prompt(problem, self.prompt_style)

    def sample(self, problems: Sequence[Mapping[str, Any]], num_samples: int, seed: int) -> list[list[Completion]]:
        """
        Have the server sample, with one request per completion.

        Raises:
            ConnectionError: If the server cannot be reached.
            RuntimeError: If the server fails.
            ValueError: If the server refuses a request, or a prompt and a completion of the maximum length do not fit into its
                context.
        """
        ids = _prompt_ids(self, problems)
        _check_lengths(
            ids,
            self.sampling.max_completion_length,
            self.server.max_model_length,
            "or start the server with a larger `--max-model-len` if the model has a longer context",
        )
        prompts = [prompt for prompt in ids for _ in range(num_samples)]
        settings = _settings(self, len(ids), num_samples, seed)
        bodies = [
            {"prompt": prompt, **one, "return_token_ids": True} for prompt, one in zip(prompts, settings, strict=True)
        ]
        choices = self.server.complete(bodies, description=self.description)
        completions = [_completion(self._text(choice), choice.get("finish_reason"), self) for choice in choices]
        completions = styled_completions(completions, self.prompt_style)
        return [completions[i : i + num_samples] for i in range(0, len(completions), num_samples)]

    def program(self, completion: str) -> str:
        """The fenced block, or the whole completion."""
        return extract_program(completion).code

    def _text(self, choice: Mapping[str, Any]) -> str:
        ids = choice.get("token_ids")
        return str(choice["text"]) if ids is None else _decode(self.tokenizer, [ids])[0]


def _prompt_ids(sampler: VLLMSampler | VLLMServerSampler, problems: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    known: dict[str, list[int]] = {}
    limit = sampler.sampling.max_prompt_length
    return [encode_prompt(sampler.tokenizer, sampler.prompt(row), limit, known) for row in problems]


def _check_lengths(
    ids: Sequence[Sequence[int]], max_completion_length: int, max_model_length: int | None, remedy: str
) -> None:
    # vLLM would refuse the request, or end the completion earlier than `max_completion_length` says.
    longest = max(map(len, ids), default=0)
    if max_model_length is not None and longest + max_completion_length > max_model_length:
        raise ValueError(
            f"The longest prompt has {longest} tokens and `max_completion_length` is {max_completion_length}, but the context of "
            f"the engine has {max_model_length} tokens. Lower `max_completion_length`, cut long prompts by `max_prompt_length`, "
            f"{remedy}."
        )


def _settings(
    sampler: VLLMSampler | VLLMServerSampler, num_problems: int, num_samples: int, seed: int
) -> Iterator[dict[str, Any]]:
    """
    Settings of each completion, problem by problem.

    A server takes those that are not given from the generation config of the model.
    """
    sampling = styled_sampling(sampler.sampling, sampler.prompt_style)
    common = {
        "max_tokens": sampling.max_completion_length,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p if sampling.temperature else 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "stop": list(sampling.stop_strings),
        "stop_token_ids": list(sampler.end_token_ids),
    }
    for problem in range(num_problems):
        digest = hashlib.sha256(f"{seed} {problem}".encode()).digest()
        first = int.from_bytes(digest[:8], "big")
        for sample in range(num_samples):
            # The seeds of a problem differ from each other.
            yield {**common, "seed": (first + sample) % _NUM_SEEDS} if sampling.temperature else common


def _decode(tokenizer: Any, ids: Sequence[Sequence[int]]) -> list[str]:
    texts: list[str] = tokenizer.batch_decode(
        [list(row) for row in ids], skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    return texts


def _completion(text: str, finish_reason: str | None, sampler: VLLMSampler | VLLMServerSampler) -> Completion:
    sampling = styled_sampling(sampler.sampling, sampler.prompt_style)
    shortened = cut_at_stop(text, sampling.stop_strings)
    return Completion(shortened, len(shortened) == len(text) and finish_reason == "length")
