"""
Measure the trainer on a GPU, next to TRL's: time and memory of a step, with and without each part.

    HF_ALLOW_CODE_EVAL=1 python examples/bench_gpu.py --output gpu.json
    HF_ALLOW_CODE_EVAL=1 python examples/bench_gpu.py --size tiny --steps 2 --warm_start_steps 2 --batch_size 8  # a test, on any machine

Downloads nothing: the model of 201 M parameters is made from a configuration and learns MiniAPPS for a few steps, so that its
completions are programs. All variants start from these weights and train at a learning rate that leaves them nearly as they are, so that
their completions are alike. Each runs twice as many steps as are measured; the first half warms up. The variants run in turn, and the
measurement ends after `max_seconds`: the output says what is missing.
"""

from __future__ import annotations

import copy
import gc
import json
import math
import platform
import statistics
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
import trl
from peft import LoraConfig
from rich.console import Console
from rich.table import Table
from transformers import HfArgumentParser, LlamaForCausalLM, PrinterCallback, TrainerCallback, set_seed
from trl import GRPOConfig, GRPOTrainer

from trl_rltf import OnlineBuffer, RLTFConfig, RLTFTrainer, UnitTestRewardFunction, make_mini_apps
from trl_rltf.execution import LocalRunner
from trl_rltf.mini import make_mini_model
from trl_rltf.mini.models import llama_config
from trl_rltf.scripts import RLTFScriptArguments
from trl_rltf.scripts.warm_start import warm_start


SIZES = {"200m": (1024, 16, 16), "tiny": (64, 2, 2)}  # width, layers and heads
GROUP_SIZE = 8
LEARNING_RATE = 1e-6


@dataclass
class GPUArguments:
    """Sizes of the measurements."""

    size: Literal["200m", "tiny"] = field(default="200m", metadata={"help": "Size of the model."})
    steps: int = field(
        default=4, metadata={"help": "Optimizer steps that are measured in a run, after as many others."}
    )
    rounds: int = field(default=3, metadata={"help": "Runs of each variant, in turn."})
    batch_size: int = field(default=64, metadata={"help": "Completions of an optimizer step; a multiple of 8."})
    max_completion_length: int = field(default=96, metadata={"help": "Tokens of the longest completion."})
    warm_start_steps: int = field(
        default=150, metadata={"help": "Supervised steps before, so that completions are programs."}
    )
    max_seconds: float = field(
        default=540.0, metadata={"help": "Seconds after which no measurement is started or continued."}
    )
    output: str = field(default="outputs/gpu.json", metadata={"help": "File for the figures."})


@dataclass(frozen=True)
class Variant:
    """
    One way to train.

    Args:
        name (`str`): Name in the table.
        is_ours (`bool`): `RLTFTrainer`, and not `GRPOTrainer`.
        uses_lora (`bool`): Train adapters, and not all weights.
        token_feedback (`str`, *optional*): Feedback per token; `None` rewards completions.
        uses_buffer (`bool`): Train from an online buffer that is refreshed once in the measured steps.
        overlaps (`bool`): Grade in the background of a refresh.
    """

    name: str
    is_ours: bool = True
    uses_lora: bool = False
    token_feedback: Literal["line_credit"] | None = None
    uses_buffer: bool = False
    overlaps: bool = True


VARIANTS = [
    Variant("GRPOTrainer, full", is_ours=False),
    Variant("RLTFTrainer, full"),
    Variant("RLTFTrainer, full, token rewards", token_feedback="line_credit"),
    Variant("RLTFTrainer, full, token rewards, buffer", token_feedback="line_credit", uses_buffer=True),
    Variant(
        "RLTFTrainer, full, token rewards, buffer, no overlap",
        token_feedback="line_credit",
        uses_buffer=True,
        overlaps=False,
    ),
    Variant("GRPOTrainer, LoRA", is_ours=False, uses_lora=True),
    Variant("RLTFTrainer, LoRA", uses_lora=True),
    Variant("RLTFTrainer, LoRA, token rewards", uses_lora=True, token_feedback="line_credit"),
    Variant(
        "RLTFTrainer, LoRA, token rewards, buffer", uses_lora=True, token_feedback="line_credit", uses_buffer=True
    ),
]


@dataclass(frozen=True)
class Setup:
    """
    What all variants share.

    Args:
        start (`LlamaForCausalLM`): Model that they start from.
        tokenizer (`PreTrainedTokenizerFast`): Its tokenizer.
        dataset (`Dataset`): Problems.
        runner (`LocalRunner`): Grades the programs.
    """

    start: Any
    tokenizer: Any
    dataset: Any
    runner: LocalRunner


class StepClock(TrainerCallback):
    """
    Take the time of the steps after the first ones, and end the run at a deadline.

    Args:
        num_warm_up (`int`): Steps that are not measured.
        deadline (`float`): Value of `time.perf_counter` at which the run ends.
    """

    def __init__(self, num_warm_up: int, deadline: float):
        self.seconds: list[float] = []
        self._num_warm_up = num_warm_up
        self._deadline = deadline
        self._began = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock, and forget the memory of the steps that warmed up."""
        wait_for_device()
        if state.global_step == self._num_warm_up and torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        self._began = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop the clock."""
        wait_for_device()
        now = time.perf_counter()
        if state.global_step > self._num_warm_up:
            self.seconds.append(now - self._began)
        if now > self._deadline:
            control.should_training_stop = True


def wait_for_device() -> None:
    """Wait until the GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def make_start(args: GPUArguments, dataset: Any, folder: str) -> tuple[Any, Any]:
    """Make the model that all variants start from, and its tokenizer."""
    _, tokenizer = make_mini_model(dataset)
    set_seed(0)
    model = LlamaForCausalLM(llama_config(tokenizer, *SIZES[args.size]))
    if args.warm_start_steps:
        # The settings of the demo, but for the learning rate, which is too high for a wide model.
        script_args = RLTFScriptArguments(
            warm_start_steps=args.warm_start_steps, warm_start_learning_rate=3e-4 if args.size == "200m" else 1e-3
        )
        config = RLTFConfig(output_dir=folder, gradient_checkpointing=False, **shared_settings())
        warm_start(model, tokenizer, dataset, script_args, config, folder=folder)
    return model.to("cpu", torch.bfloat16), tokenizer


def shared_settings() -> dict[str, Any]:
    """Settings of precision and device."""
    has_gpu = torch.cuda.is_available()
    return {"bf16": True, "use_cpu": not has_gpu, "dataloader_pin_memory": has_gpu, "disable_tqdm": True}


def run(variant: Variant, args: GPUArguments, setup: Setup, deadline: float) -> dict[str, Any]:
    """Train a variant from a copy of the model, and return what was measured."""
    began = time.perf_counter()
    clock = StepClock(args.steps, deadline)
    config_class, trainer_class = (RLTFConfig, RLTFTrainer) if variant.is_ours else (GRPOConfig, GRPOTrainer)
    ours = {"overlap_rewards": variant.overlaps, "ce_loss_weight": 0.0} if variant.is_ours else {}
    buffer = [OnlineBuffer(args.batch_size * args.steps, update_steps=args.steps)] if variant.uses_buffer else []
    reward = UnitTestRewardFunction(
        setup.runner, token_feedback=variant.token_feedback, processing_class=setup.tokenizer
    )
    adapter = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear") if variant.uses_lora else None
    with tempfile.TemporaryDirectory() as folder:
        config = config_class(
            output_dir=folder, max_steps=2 * args.steps, learning_rate=LEARNING_RATE, temperature=0.6,
            per_device_train_batch_size=args.batch_size, num_generations=GROUP_SIZE,
            max_completion_length=args.max_completion_length, gradient_checkpointing=False, report_to="none", save_strategy="no",
            logging_steps=1, **shared_settings(), **ours,
        )  # fmt: skip
        trainer = trainer_class(
            model=copy.deepcopy(setup.start), reward_funcs=reward, args=config, train_dataset=setup.dataset,
            processing_class=setup.tokenizer,
            callbacks=[clock, *buffer], peft_config=adapter,
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        memory = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
        rows = [row for row in trainer.state.log_history if row.get("step", 0) > args.steps]
        is_complete = len(clock.seconds) == args.steps
        result = {
            "variant": variant.name,
            "is_complete": is_complete,
            "seconds_per_step": statistics.mean(clock.seconds) if clock.seconds else None,
            "seconds_of_steps": clock.seconds,
            "peak_memory_bytes": memory,
            "num_trained_parameters": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
            **{name: mean_of(rows, key) for name, key in LOGGED.items()},
            "seconds": time.perf_counter() - began,
        }
        trainer.accelerator.free_memory()
    del trainer
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        result["allocated_after_bytes"] = torch.cuda.memory_allocated()
    return result


# Of a generation batch; a refresh of the buffer has several.
LOGGED = {
    "reward_seconds": "time/rewards",
    "reward_seconds_waited_for": "time/rewards_exposed",
    "completion_tokens": "completions/mean_length",
    "reward": "reward",
}


def mean_of(rows: list[dict[str, Any]], key: str) -> float | None:
    """Mean of a logged metric, or `None` if it was not logged."""
    values = [row[key] for row in rows if key in row]
    return statistics.mean(values) if values else None


def measure(args: GPUArguments, setup: Setup, began: float) -> dict[str, Any]:
    """Run the variants in turn while there is time, and write the figures after each run."""
    figures: dict[str, Any] = {
        "settings": asdict(args),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {platform.machine()}",
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "trl": trl.__version__},
        "num_parameters": setup.start.num_parameters(),
        "runs": [],
        "missing": [f"{variant.name}, round {number}" for number in range(1, args.rounds + 1) for variant in VARIANTS],
    }
    deadline = began + args.max_seconds
    longest = 0.0
    for number in range(1, args.rounds + 1):
        for variant in VARIANTS:
            now = time.perf_counter()
            if now + longest > deadline:
                continue
            result = {"round": number, **run(variant, args, setup, deadline)}
            longest = max(longest, result["seconds"])
            if result["is_complete"]:
                figures["missing"].remove(f"{variant.name}, round {number}")
            figures["runs"].append(result)
            figures["seconds"] = time.perf_counter() - began
            write(figures, args)
    figures["seconds"] = time.perf_counter() - began
    write(figures, args)
    return figures


def write(figures: dict[str, Any], args: GPUArguments) -> None:
    """Write the figures."""
    path = Path(args.output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def make_table(figures: dict[str, Any]) -> Table:
    """Make the table: one row per variant, over its complete runs."""
    table = Table(
        title=f"{figures['num_parameters'] / 1e6:.0f} M parameters in bfloat16, {figures['device']}",
        caption="[]: smallest and largest of the runs. Rewards: seconds per generation batch, and those that training waited for.",
    )
    for name in (
        "variant",
        "runs",
        "seconds per step",
        "compared with GRPO",
        "peak memory, GiB",
        "rewards, s",
        "waited for, s",
    ):
        table.add_column(name, justify="left" if name == "variant" else "right")
    runs = {
        variant.name: [run for run in figures["runs"] if run["variant"] == variant.name and run["is_complete"]]
        for variant in VARIANTS
    }
    for variant in VARIANTS:
        found = runs[variant.name]
        if not found:
            table.add_row(variant.name, "0", *["missing"] * 5)
            continue
        reference = {run["round"]: run for run in runs[VARIANTS[5 if variant.uses_lora else 0].name]}
        ratios = [
            run["seconds_per_step"] / reference[run["round"]]["seconds_per_step"]
            for run in found
            if run["round"] in reference
        ]
        table.add_row(
            variant.name,
            str(len(found)),
            spread([run["seconds_per_step"] for run in found]),
            spread(ratios),
            spread([run["peak_memory_bytes"] / 2**30 for run in found if run["peak_memory_bytes"] is not None]),
            spread([run["reward_seconds"] for run in found if run["reward_seconds"] is not None]),
            spread(
                [run["reward_seconds_waited_for"] for run in found if run["reward_seconds_waited_for"] is not None]
            ),
        )
    return table


def spread(values: list[float]) -> str:
    """A median with the smallest and the largest value; a dash if nothing was measured."""
    if not values:
        return "-"
    return f"{statistics.median(values):.3f} [{min(values):.3f}, {max(values):.3f}]"


def main() -> None:
    """Measure, and print the table."""
    began = time.perf_counter()
    warnings.filterwarnings("ignore")
    (args,) = HfArgumentParser(GPUArguments).parse_args_into_dataclasses()
    if args.batch_size % GROUP_SIZE or args.batch_size < 1 or args.steps < 1 or args.rounds < 1:
        raise SystemExit(f"`batch_size` must be a multiple of {GROUP_SIZE}, and `steps` and `rounds` at least 1.")
    dataset = make_mini_apps("train", num_problems=256)
    with tempfile.TemporaryDirectory() as folder:
        start, tokenizer = make_start(args, dataset, folder)
    with LocalRunner() as runner:
        figures = measure(args, Setup(start, tokenizer, dataset, runner), began)
    console = Console(width=170)
    console.print(make_table(figures))
    if figures["missing"]:
        console.print(f"Missing, for lack of time: {'; '.join(figures['missing'])}.")
    console.print(f"{math.ceil(figures['seconds'])} seconds. Figures: {args.output}", soft_wrap=True, highlight=False)
