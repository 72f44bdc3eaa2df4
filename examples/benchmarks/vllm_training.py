"""
Measure training with completions of vLLM compared with those of transformers, on the CPU.

    HF_ALLOW_CODE_EVAL=1 .venv-vllm/bin/python examples/bench_vllm.py --model_name_or_path Qwen/Qwen2.5-Coder-0.5B-Instruct \
        --dataset_name google-research-datasets/mbpp

`make test-vllm` makes the environment. Prints, with the spread over optimizer steps: completion tokens per second of generation,
seconds per step, the seconds of these that pass weights to vLLM, and the ratios. Both runs train adapters (LoRA) on the same
prompts of MBPP with the same settings; the first step of each is left out, because it warms up.
"""

from __future__ import annotations

import gc
import os
import statistics
import tempfile
import time
import warnings
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import torch
from peft import LoraConfig
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForCausalLM, AutoTokenizer, HfArgumentParser, PrinterCallback

from trl_rltf import RLTFConfig, RLTFTrainer, UnitTestRewardFunction, load_mbpp


@dataclass
class BenchArguments:
    """The model and the sizes of the measurement."""

    model_name_or_path: str = field(
        default="Qwen/Qwen2.5-Coder-0.5B-Instruct", metadata={"help": "A model, or its folder."}
    )
    dataset_name: str = field(default="google-research-datasets/mbpp", metadata={"help": "MBPP, or its mbpp.jsonl."})
    batch_size: int = field(default=16, metadata={"help": "Completions per optimizer step."})
    num_generations: int = field(default=8, metadata={"help": "Completions per prompt."})
    max_completion_length: int = field(default=64, metadata={"help": "Tokens of the longest completion."})
    steps: int = field(default=3, metadata={"help": "Optimizer steps of each run; the first is left out."})
    dtype: str = field(default="bfloat16", metadata={"help": "Precision of the weights, in both."})


def train(args: BenchArguments, use_vllm: bool) -> dict[str, list[float]]:
    """Train, and return the measurements of each step but the first."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(args, folder, use_vllm)
        measured = measure(trainer)
        trainer.train()
    log = trainer.state.log_history
    measured["seconds per step"] = [row["step_time"] for row in log if "step_time" in row]
    name = "sampling/importance_sampling_ratio/mean"
    measured["importance sampling ratio"] = [row[name] for row in log if name in row]
    del trainer
    gc.collect()
    return {name: values[1:] for name, values in measured.items()}


def make_trainer(args: BenchArguments, folder: str, use_vllm: bool) -> RLTFTrainer:
    """Make a trainer of adapters on MBPP."""
    dataset = load_mbpp(args.dataset_name)
    tokenizer = AutoTokenizer.from_pretrained(args.model_name_or_path)
    if tokenizer.chat_template:
        dataset = dataset.map(lambda row: {"prompt": [{"role": "user", "content": row["prompt"]}]})
    trainer = RLTFTrainer(
        model=AutoModelForCausalLM.from_pretrained(args.model_name_or_path, dtype=args.dtype),
        reward_funcs=UnitTestRewardFunction(),
        args=RLTFConfig(
            output_dir=folder, per_device_train_batch_size=args.batch_size, num_generations=args.num_generations,
            max_completion_length=args.max_completion_length, max_prompt_length=256, max_steps=args.steps, ce_loss_weight=0.0,
            bf16=False, gradient_checkpointing=False, logging_steps=1, save_strategy="no", report_to="none", disable_tqdm=True,
            use_vllm=use_vllm, vllm_max_model_length=256 + args.max_completion_length,
            vllm_importance_sampling_mode="token_truncate",  # in bfloat16, ratios of whole completions scatter
        ),
        train_dataset=dataset,
        processing_class=tokenizer,
        peft_config=LoraConfig(r=16, target_modules="all-linear"),
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    return trainer


def measure(trainer: Any) -> dict[str, list[float]]:
    """Return lists that collect the speed of generation, and the time to pass weights to vLLM."""
    measured = defaultdict(list)
    generate = trainer._generate_single_turn
    seconds_of_weights = [0.0]

    def timed_generate(*args: Any, **kwargs: Any) -> Any:
        seconds_of_weights[0] = 0.0
        began = time.perf_counter()
        result = generate(*args, **kwargs)
        seconds = time.perf_counter() - began - seconds_of_weights[0]
        measured["tokens per second"].append(sum(map(len, result[0])) / seconds)
        measured["seconds to pass weights"].append(seconds_of_weights[0])
        return result

    trainer._generate_single_turn = timed_generate
    if trainer.args.use_vllm:
        pass_weights = trainer.vllm_generation.sync_weights

        def timed_pass() -> None:
            began = time.perf_counter()
            pass_weights()
            seconds_of_weights[0] = time.perf_counter() - began

        trainer.vllm_generation.sync_weights = timed_pass
    return measured


def main() -> None:
    """Print the table."""
    warnings.filterwarnings("ignore")
    (args,) = HfArgumentParser(BenchArguments).parse_args_into_dataclasses()
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    # vLLM would bind this process, which trains too, to some of the cores.
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    if torch.cuda.is_available():
        raise SystemExit(
            "This benchmark changes vLLM to train on a CPU. On a GPU, train with `use_vllm=True` as it is."
        )
    from . import vllm_on_cpu

    vllm_on_cpu.use_colocate_mode(dtype=args.dtype)
    threads = torch.get_num_threads()
    slow = train(args, use_vllm=False)
    fast = train(args, use_vllm=True)
    title = f"{args.batch_size} completions per step, {args.dtype}, {threads} threads"
    table = Table("quantity", "transformers", "vLLM", "vLLM / transformers", title=title)
    for name in ("tokens per second", "seconds per step", "seconds to pass weights", "importance sampling ratio"):
        cells = [shown(slow.get(name, [])), shown(fast[name])]
        has_ratio = name in ("tokens per second", "seconds per step")
        ratio = f"{statistics.median(fast[name]) / statistics.median(slow[name]):.2f}" if has_ratio else ""
        table.add_row(name, *cells, ratio)
    Console(width=120).print(table)


def shown(values: list[float]) -> str:
    """A median with the smallest and the largest value."""
    if not any(values):
        return ""
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"
