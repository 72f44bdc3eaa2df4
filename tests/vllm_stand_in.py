"""A stand-in for vLLM: the parts of its `LLM` that TRL's colocate mode calls, with transformers behind them."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import torch
from transformers import AutoModelForCausalLM


class SamplingParams:
    """Settings of one generation, as TRL passes them."""

    def __init__(self, temperature: float, max_tokens: int, n: int, logprobs: int, **others: Any):
        assert n == 1
        assert logprobs == 0  # of the sampled token alone
        self.temperature, self.max_tokens = temperature, max_tokens


class LLM:
    """
    An engine with a separate copy of the weights, which changes only when the trainer loads new ones.

    Attributes:
        prompts (`list[list[int]]`): Ids of all prompts that were generated for.
        num_loaded (`int`): Weights that were loaded.
    """

    def __init__(self, model: str, seed: int, logprobs_mode: str, **others: Any):
        assert logprobs_mode == "processed_logprobs"  # at the sampling temperature
        self._model = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
        self._weights = dict(self._model.named_parameters())
        self._generator = torch.Generator().manual_seed(seed)
        self.prompts: list[list[int]] = []
        self.num_loaded = 0
        # The path by which TRL reaches `load_weights`.
        worker = SimpleNamespace(model_runner=SimpleNamespace(model=self))
        self.llm_engine = SimpleNamespace(model_executor=SimpleNamespace(driver_worker=worker))

    @torch.no_grad()
    def load_weights(self, pairs: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Load weights of the trainer."""
        for name, value in pairs:
            self._weights[name].copy_(value)
            self.num_loaded += 1

    def reset_prefix_cache(self) -> None:
        """Do nothing: there is no cache."""

    def generate(
        self, prompts: list[dict[str, list[int]]], sampling_params: SamplingParams, use_tqdm: bool
    ) -> list[Any]:
        """Sample a completion for each prompt."""
        self.prompts += [prompt["prompt_token_ids"] for prompt in prompts]
        return [self._complete(prompt["prompt_token_ids"], sampling_params) for prompt in prompts]

    @torch.no_grad()
    def _complete(self, prompt_ids: list[int], params: SamplingParams) -> Any:
        ids, logprobs = [], []
        while len(ids) < params.max_tokens and self._model.config.eos_token_id not in ids:
            logits = self._model(torch.tensor([prompt_ids + ids])).logits[0, -1] / params.temperature
            scores = torch.log_softmax(logits, -1)
            token = int(torch.multinomial(scores.exp(), 1, generator=self._generator))
            ids.append(token)
            logprobs.append({token: SimpleNamespace(logprob=float(scores[token]), rank=1)})
        return SimpleNamespace(
            prompt_token_ids=prompt_ids, outputs=[SimpleNamespace(token_ids=ids, logprobs=logprobs)]
        )
