"""Load the model that writes programs which make inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from trl import ModelConfig

from ..generation import Sampling
from ..metrics import PolicySampler
from .policy import load_policy


def load_input_model(
    name: str, *, temperature: float, max_completion_length: int, seed: int
) -> Callable[[list[str]], Sequence[str]]:
    """
    Load a model as a function from prompts to completions.

    Args:
        name (`str`): Name or folder of the model.
        temperature (`float`): Sampling temperature; 0 decodes greedily.
        max_completion_length (`int`): Number of tokens per completion, at most.
        seed (`int`): Seed of the sampling, the same for each problem.

    Returns:
        `Callable[[list[str]], Sequence[str]]`: The function. Prompts are chat messages if the tokenizer has a chat template.
    """
    model, tokenizer = load_policy(ModelConfig(model_name_or_path=name, dtype="auto"))
    if torch.accelerator.is_available():
        model.to(torch.accelerator.current_accelerator())
    sampling = Sampling(temperature=temperature, max_completion_length=max_completion_length)
    sampler = PolicySampler(model, tokenizer, sampling, prompt_style="chat" if tokenizer.chat_template else "plain")

    def complete(prompts: list[str]) -> list[str]:
        rows = [{"prompt": prompt} for prompt in prompts]
        return [str(texts[0]) for texts in sampler.sample(rows, 1, seed)]

    return complete
