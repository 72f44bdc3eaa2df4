"""
Measure the trainer on a small model, on the CPU: its cost compared with TRL's, and the time saved by rewards in the background.

    OMP_NUM_THREADS=1 python examples/bench_trainer.py

Prints, with the spread over rounds: the time of a step compared with `GRPOTrainer` on the same batches, in turns; the share of the
time of a slow reward function that training waits for, with and without overlap; the time to find the tokens of an error; bytes
per buffered token.
"""

from __future__ import annotations

import copy
import statistics
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table
from transformers import HfArgumentParser, PrinterCallback
from trl import GRPOConfig, GRPOTrainer

from trl_rltf import OnlineBuffer, RLTFConfig, RLTFTrainer, make_mini_apps
from trl_rltf.completions.tokens import span_tokens, token_ranges
from trl_rltf.execution.report import Span
from trl_rltf.mini import make_mini_model
from trl_rltf.trainer.samples import num_bytes


@dataclass
class BenchArguments:
    """Sizes of the measurements."""

    rounds: int = field(default=9, metadata={"help": "Rounds of each comparison."})
    steps: int = field(default=20, metadata={"help": "Optimizer steps of a run."})
    num_batches: int = field(default=16, metadata={"help": "Generation batches of a refresh of the buffer."})


def by_length(completions: list[str], **columns: Any) -> list[float]:
    """A cheap reward that differs between completions."""
    return [len(set(text)) / 10 for text in completions]


def run(
    start: Any, tokenizer: Any, dataset: Any, reward: Any, is_ours: bool = True, buffer: Any = None, **settings: Any
) -> Any:
    """Train a copy of the model; the attribute `seconds` of the trainer is the time."""
    config, trainer_class = (RLTFConfig, RLTFTrainer) if is_ours else (GRPOConfig, GRPOTrainer)
    if is_ours:
        settings["ce_loss_weight"] = 0.0  # so that both trainers do the same
    with tempfile.TemporaryDirectory() as folder:
        args = config(
            output_dir=folder, per_device_train_batch_size=8, num_generations=8, max_completion_length=64, bf16=False,
            report_to="none", save_strategy="no", logging_steps=1, disable_tqdm=True, gradient_checkpointing=False, **settings,
        )  # fmt: skip
        trainer = trainer_class(
            model=copy.deepcopy(start), reward_funcs=reward, args=args, train_dataset=dataset, processing_class=tokenizer,
            callbacks=None if buffer is None else [buffer],
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        began = time.perf_counter()
        trainer.train()
        trainer.seconds = time.perf_counter() - began
    return trainer


def step_times(trainer: Any) -> list[float]:
    """Seconds of each optimizer step, without the first, which warms up."""
    return [row["step_time"] for row in trainer.state.log_history if "step_time" in row][1:]


def main() -> None:
    """Print the table."""
    warnings.filterwarnings("ignore")
    (args,) = HfArgumentParser(BenchArguments).parse_args_into_dataclasses()
    dataset = make_mini_apps("train", num_problems=256)
    start, tokenizer = make_mini_model(dataset)
    table = Table("quantity", "median", "smallest, largest", title="RLTFTrainer")

    ratios = []
    for number in range(args.rounds):
        medians = {}
        for is_ours in (True, False) if number % 2 else (False, True):
            times = step_times(run(start, tokenizer, dataset, by_length, is_ours, max_steps=args.steps))
            medians[is_ours] = statistics.median(times)
        ratios.append(medians[True] / medians[False])
    add(table, "step of RLTFTrainer / step of GRPOTrainer, trivial reward", ratios)

    def slow(completions: list[str], **columns: Any) -> list[float]:
        time.sleep(pause)
        return by_length(completions)

    pause = 0.0
    refresh = args.num_batches
    exposed: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(args.rounds):
        for overlap in (True, False):
            pause = 0.0
            buffer = make_buffer(refresh)
            seconds = run(start, tokenizer, dataset, slow, buffer=buffer, max_steps=1).seconds
            pause = seconds / refresh / 2  # half of the time of a generation batch
            buffer = make_buffer(refresh)
            trainer = run(start, tokenizer, dataset, slow, buffer=buffer, overlap_rewards=overlap, max_steps=1)
            row = next(row for row in trainer.state.log_history if "time/rewards" in row)
            exposed[overlap].append(row["time/rewards_exposed"] / row["time/rewards"])
    add(table, f"share of reward time waited for, refresh of {refresh} batches, overlapped", exposed[True])
    add(table, "the same, not overlapped", exposed[False])

    ids, text, span = make_error(tokenizer)
    times = []
    for _ in range(args.rounds):
        began = time.perf_counter()
        for _ in range(1000):
            span_tokens(span, text, 0, token_ranges(ids, text, tokenizer))
        times.append(time.perf_counter() - began)
    add(table, f"seconds to localise the error in 1,000 completions of {len(ids)} tokens", times)

    buffer = make_buffer(refresh)
    run(start, tokenizer, dataset, by_length, buffer=buffer, max_steps=1)
    samples = [sample for _, sample in buffer.samples]
    num_tokens = sum(len(sample["completion_ids"]) for sample in samples)
    add(table, "bytes in the buffer / completion token, prompts included", [num_bytes(samples) / num_tokens])
    Console(width=120).print(table)


def make_error(tokenizer: Any) -> tuple[list[int], str, Span]:
    """Make a completion with an error in its twelfth line: ids, text, and the span of the error."""
    lines = [f"value_{i} = compute(value_{i - 1}, {i}) + offset[{i % 7}]" for i in range(1, 40)]
    ids = tokenizer("\n".join(lines), add_special_tokens=False)["input_ids"][:400]
    return ids, tokenizer.decode(ids), Span(line=12, column=0, end_line=12, end_column=10)


def make_buffer(num_batches: int) -> OnlineBuffer:
    """Make a buffer whose refresh takes this number of generation batches of 8."""
    return OnlineBuffer(capacity=8 * num_batches, update_steps=num_batches)


def add(table: Table, name: str, values: list[float]) -> None:
    """Add the median and the spread of a measurement."""
    table.add_row(name, f"{statistics.median(values):.3f}", f"{min(values):.3f}, {max(values):.3f}")
