"""
Measure the ratios by which TRL corrects completions of vLLM, for several ways to sample.

    .venv-vllm/bin/python examples/benchmarks/vllm_ratios.py --model_name_or_path Qwen/Qwen2.5-Coder-0.5B-Instruct --dtype float32

A ratio is the probability of a token, or of a completion, in transformers (float32, at the temperature, over the whole vocabulary)
divided by the probability that vLLM returns. Prints, for each way to sample: the mean, the smallest and the largest ratio of a
completion and of a token, and the mean absolute difference of log-probs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForCausalLM, AutoTokenizer, HfArgumentParser

from trl_rltf import load_mbpp


@dataclass
class RatioArguments:
    """The model and the number of completions."""

    model_name_or_path: str = field(
        default="Qwen/Qwen2.5-Coder-0.5B-Instruct", metadata={"help": "A model, or its folder."}
    )
    dataset_name: str = field(default="google-research-datasets/mbpp", metadata={"help": "MBPP, or its mbpp.jsonl."})
    num_prompts: int = field(default=4, metadata={"help": "Prompts."})
    num_generations: int = field(default=4, metadata={"help": "Completions per prompt."})
    max_completion_length: int = field(default=96, metadata={"help": "Tokens of the longest completion."})
    dtype: str = field(default="bfloat16", metadata={"help": "Precision of vLLM."})


SAMPLING: list[dict[str, Any]] = [
    {"temperature": 1.0},
    {"temperature": 0.6, "top_p": 0.95},
    {"temperature": 1.0, "top_p": 0.95},
    {"temperature": 1.0, "top_p": 0.9},
    {"temperature": 1.0, "top_k": 50},
    {"temperature": 1.0, "min_p": 0.1},
    {"temperature": 1.0, "repetition_penalty": 1.1},
]


@torch.no_grad()
def differences(model: Any, output: Any, temperature: float) -> torch.Tensor:
    """Return the log-probs of transformers minus those of vLLM, `(T,)`."""
    ids = list(output.outputs[0].token_ids)
    logits = model(torch.tensor([[*output.prompt_token_ids, *ids]])).logits[0, -len(ids) - 1 : -1] / temperature
    logps = torch.log_softmax(logits, -1)[range(len(ids)), ids]
    of_vllm = [entry[token].logprob for entry, token in zip(output.outputs[0].logprobs, ids, strict=True)]
    return logps - torch.tensor(of_vllm)


def main() -> None:
    """Print the table."""
    (args,) = HfArgumentParser(RatioArguments).parse_args_into_dataclasses()
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    from vllm import LLM, SamplingParams

    tokenizer = AutoTokenizer.from_pretrained(args.model_name_or_path)
    chats = [
        [{"role": "user", "content": text}] for text in load_mbpp(args.dataset_name)["prompt"][: args.num_prompts]
    ]
    prompts = [
        {"prompt_token_ids": tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)}
        for chat in chats
        for _ in range(args.num_generations)
    ]
    model = AutoModelForCausalLM.from_pretrained(args.model_name_or_path, dtype=torch.float32)
    engine = LLM(
        args.model_name_or_path, dtype=args.dtype, enforce_eager=True, max_model_len=1024, max_num_seqs=32, seed=0,
        logprobs_mode="processed_logprobs",
    )  # fmt: skip
    table = Table("sampling", "ratio of a completion", "ratio of a token", "mean difference", title=args.dtype)
    for sampling in SAMPLING:
        params = SamplingParams(max_tokens=args.max_completion_length, logprobs=0, **sampling)
        outputs = engine.generate(prompts, params, use_tqdm=False)
        found = [differences(model, output, sampling["temperature"]) for output in outputs]
        of_completions = torch.stack([row.sum() for row in found]).exp()
        of_tokens = torch.cat(found).exp()
        name = ", ".join(f"{key} {value}" for key, value in sampling.items())
        table.add_row(name, shown(of_completions), shown(of_tokens), f"{torch.cat(found).abs().mean():.4f}")
    Console(width=120).print(table)


def shown(values: torch.Tensor) -> str:
    """A mean with the smallest and the largest value."""
    return f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})"


if __name__ == "__main__":
    main()
