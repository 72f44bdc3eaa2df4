"""What `evaluate_apps.py` and `evaluate_mbpp.py` share: their flags, the sampler, the run and the closing table."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from _models import load_policy
from datasets import Dataset
from rich.console import Console
from rich.table import Table
from trl import ModelConfig

import trl_rltf
from trl_rltf.critic import Critic, CriticSampler
from trl_rltf.data import visible_tests
from trl_rltf.execution import LocalRunner
from trl_rltf.generation import Sampling, prompt_lengths
from trl_rltf.metrics import (
    EmptySampler,
    PolicySampler,
    ReferenceSampler,
    SampledEvaluation,
    Sampler,
    check_ks,
    evaluate_in_shards,
    summarize,
    summarize_filtered,
)


console = Console()
_RANK = int(os.environ.get("RANK", "0"))
_WORLD_SIZE = int(os.environ.get("WORLD_SIZE", "1"))
_LOCAL_RANK = int(os.environ.get("LOCAL_RANK", "0"))
# Flags that may change when a run goes on. The problems themselves are compared, wherever they lie.
_HOW_ONLY = ("dataset_name", "num_workers", "batch_size", "use_cpu", "output_dir", "k")


@dataclass
class EvaluationArguments:
    """Arguments of both scripts."""

    dataset_name: str | None = field(
        default=None, metadata={"help": "Local data set, or one of the Hub. By default the usual one of the Hub."}
    )
    dataset_test_split: str = field(default="test", metadata={"help": "Split to evaluate on."})
    eval_problems: int | None = field(default=None, metadata={"help": "Take the first N problems; all by default."})
    output_dir: str | None = field(
        default=None,
        metadata={"help": "Folder of the run. By default outputs/<benchmark>-<model>. The same folder goes on."},
    )
    programs: str = field(
        default="model",
        metadata={
            "help": "What is graded: samples of the model, or, without one, the reference solutions or empty programs.",
            "choices": ["model", "reference", "empty"],
        },
    )
    num_samples: int = field(default=1, metadata={"help": "Samples a problem."})
    k: list[int] | None = field(
        default=None, metadata={"help": "The k of pass@k. By default those of the paper that the samples allow."}
    )
    temperature: float = field(default=0.6, metadata={"help": "Sampling temperature; 0 decodes greedily."})
    top_p: float = field(default=0.95, metadata={"help": "Share of the probability that is sampled from."})
    max_completion_length: int = field(default=512, metadata={"help": "Tokens a completion may have."})
    max_prompt_length: int | None = field(
        default=None,
        metadata={
            "help": "Tokens a prompt may have; longer ones lose the beginning of their content, not the template."
        },
    )
    prompt_style: str = field(
        default="plain",
        metadata={
            "help": "The benchmark's own prompt, or the same as a message through the tokenizer's chat template.",
            "choices": ["plain", "chat"],
        },
    )
    stop_strings: list[str] | None = field(default=None, metadata={"help": "Texts that end a completion."})
    filter_by_examples: bool = field(
        default=False, metadata={"help": "Also keep the samples that pass the visible tests, and report n@k of these."}
    )
    batch_size: int = field(default=64, metadata={"help": "Sequences generated at a time, on each process."})
    samples_per_shard: int = field(
        default=256, metadata={"help": "Samples in a shard; a killed process loses two of them at most."}
    )
    seed: int = field(default=0, metadata={"help": "Seed of the sampling."})
    test_timeout: float = field(default=4.0, metadata={"help": "CPU seconds that each unit test may use."})
    num_workers: int | None = field(default=None, metadata={"help": "Programs graded at a time; the number of cores."})
    use_cpu: bool = field(default=False, metadata={"help": "Generate on the CPU even if there is an accelerator."})
    gguf_file: str | None = field(
        default=None, metadata={"help": "GGUF file in the folder or repository of the model."}
    )
    critic_model_name_or_path: str | None = field(
        default=None,
        metadata={
            "help": "Critic, as train_critic.py makes it: sample again from the best prefixes of first samples."
        },
    )
    critic_prefixes: int = field(default=5, metadata={"help": "First samples of a problem that the critic cuts."})
    adapter_name_or_path: str | None = field(default=None, metadata={"help": "PEFT adapter to merge into the model."})
    trust_remote_code: bool = field(default=False, metadata={"help": "Run code of the model's repository."})

    def __post_init__(self) -> None:
        if self.temperature == 0 and self.num_samples > 1 and self.programs == "model":
            raise ValueError(
                f"At `temperature` 0 all {self.num_samples} samples of a problem are the same. Use 1, or sample."
            )
        for name in ("batch_size", "critic_prefixes"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` is {getattr(self, name)}, but must be at least 1.")
        if self.eval_problems is not None and self.eval_problems < 0:
            raise ValueError(f"`eval_problems` is {self.eval_problems}, but must be a number of problems.")


def evaluate(
    script_args: EvaluationArguments,
    model_args: ModelConfig,
    problems: Dataset,
    name: str,
    published: Mapping[str, Mapping[str, float]],
    ks: Sequence[int] = (1, 5, 10, 100, 1000),
) -> None:
    """Run the evaluation; the first process prints the table and writes `summary.json`."""
    wanted = check_ks(script_args.k, script_args.num_samples, ks)
    if script_args.programs == "model" and model_args.model_name_or_path is None:
        raise ValueError("Give `--model_name_or_path`, or `--programs reference` to grade the reference solutions.")
    if script_args.eval_problems is not None:
        problems = problems.select(range(min(script_args.eval_problems, len(problems))))
    if script_args.programs == "reference":
        with_solution = [index for index, solutions in enumerate(problems["solutions"]) if solutions]
        if _RANK == 0 and len(with_solution) < len(problems):
            console.print(f"{len(problems) - len(with_solution)} problems have no reference solution: left out.")
        problems = problems.select(with_solution)
    folder = Path(script_args.output_dir or f"outputs/{name.lower()}-{_label(script_args, model_args)}")
    with LocalRunner(script_args.num_workers, script_args.test_timeout, allow_code_eval=True) as runner:
        result = evaluate_in_shards(
            problems,
            lambda: _load_sampler(script_args, model_args, runner, problems),
            runner,
            folder,
            _settings(script_args, model_args, name),
            script_args.num_samples,
            script_args.samples_per_shard,
            visible_tests if script_args.filter_by_examples else None,
            script_args.seed,
            _RANK,
            _WORLD_SIZE,
        )
    if result is not None:
        _report(result, wanted, script_args, name, published, folder)


def _label(script_args: EvaluationArguments, model_args: ModelConfig) -> str:
    if script_args.programs != "model":
        return script_args.programs
    source = script_args.adapter_name_or_path or model_args.model_name_or_path
    return Path(source).name.lower()


def _settings(script_args: EvaluationArguments, model_args: ModelConfig, name: str) -> dict[str, Any]:
    flags = {key: value for key, value in asdict(script_args).items() if key not in _HOW_ONLY}
    return {"benchmark": name, "version": trl_rltf.__version__, **flags, **asdict(model_args)}


def _load_sampler(
    script_args: EvaluationArguments, model_args: ModelConfig, runner: LocalRunner, problems: Dataset
) -> Sampler:
    if script_args.programs != "model":
        return ReferenceSampler() if script_args.programs == "reference" else EmptySampler()
    sampling = Sampling(
        script_args.temperature,
        script_args.top_p,
        script_args.max_completion_length,
        script_args.max_prompt_length,
        tuple(script_args.stop_strings or ()),
    )
    use_accelerator = torch.accelerator.is_available() and not script_args.use_cpu
    if use_accelerator:
        torch.accelerator.set_device_index(_LOCAL_RANK)
    model, tokenizer = load_policy(
        model_args, script_args.gguf_file, script_args.adapter_name_or_path, script_args.trust_remote_code
    )
    if use_accelerator and not (model_args.load_in_4bit or model_args.load_in_8bit):
        model.to(torch.accelerator.current_accelerator())
    policy = PolicySampler(model, tokenizer, sampling, script_args.batch_size, script_args.prompt_style == "chat")
    if _RANK == 0 and script_args.max_prompt_length is not None:
        _tell_long_prompts(
            prompt_lengths(tokenizer, list(map(policy.prompt, problems))), script_args.max_prompt_length
        )
    if script_args.critic_model_name_or_path is None:
        return policy
    critic = Critic(script_args.critic_model_name_or_path)
    return CriticSampler(policy, critic, runner, visible_tests, script_args.critic_prefixes)


def _tell_long_prompts(lengths: Sequence[int], limit: int) -> None:
    num_long = sum(length > limit for length in lengths)
    if num_long:
        console.print(
            f"{num_long} of {len(lengths)} prompts have more than {limit} tokens, the longest {max(lengths)}: the beginning of "
            "their content is cut."
        )


def _report(
    result: SampledEvaluation,
    ks: Sequence[int],
    script_args: EvaluationArguments,
    name: str,
    published: Mapping[str, Mapping[str, float]],
    folder: Path,
) -> None:
    scores = summarize(result.counts, ks)
    kept = summarize_filtered(result.counts, ks) if script_args.filter_by_examples else {}
    # Apart only if some program has an error in code that the tests do not use.
    whole = summarize(result.counts, ks, whole_module=True) if result.num_trailing_errors else {}
    table = Table(
        title=f"{name}: {len(result.counts)} problems, {script_args.num_samples} samples each"
        + (", written anew with a critic" if script_args.critic_model_name_or_path else ""),
        caption="Intervals: bootstrap over the problems. Paper: CodeT5 770M with RLTF, all test problems.",
    )
    for column in ("problems", "", "", "95 % interval", "paper"):
        table.add_column(column, justify="left" if column == "problems" else "right")
    for group, estimates in scores.items():
        of_modules = {f"{key}, whole module": value for key, value in whole.get(group, {}).items()}
        figures = {**estimates, **of_modules, **kept.get(group, {})}
        for row, (key, estimate) in enumerate(figures.items()):
            paper = published.get(key, {}).get(group)
            table.add_row(
                "" if row else group,
                key,
                f"{estimate.value:.1%}",
                f"[{estimate.low:.1%}, {estimate.high:.1%}]",
                "" if paper is None else f"{paper}%",
            )
        table.add_section()
    console.print(table)
    total = sum(result.outcomes.values())
    console.print(
        "  ".join(f"{outcome} {number / total:.1%}" for outcome, number in result.outcomes.items() if number)
    )
    if result.num_trailing_errors:
        console.print(
            f"{result.num_trailing_errors} of {total} programs have an error after what the tests use: an example, an assert of their "
            "own, a line that was cut off. 'Whole module' counts it, as LiveCodeBench does."
        )
    if result.num_clipped is not None:
        console.print(
            f"{result.num_clipped} of {total} completions were cut at the length limit of "
            f"{script_args.max_completion_length} tokens."
        )
    summary = {
        "num_problems": len(result.counts),
        "num_samples": script_args.num_samples,
        "scores": {
            group: {key: asdict(value) for key, value in {**values, **kept.get(group, {})}.items()}
            for group, values in scores.items()
        },
        "whole_module_scores": {
            group: {key: asdict(value) for key, value in values.items()} for group, values in (whole or scores).items()
        },
        "outcomes": result.outcomes,
        "num_trailing_errors": result.num_trailing_errors,
        "num_clipped": result.num_clipped,
    }
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    console.print(f"Samples: {folder / 'samples.jsonl'}   Summary: {folder / 'summary.json'}", soft_wrap=True)
