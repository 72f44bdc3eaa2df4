"""What `train_critic.py` needs around the training: its flags, the samples, and the table at the end."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _models import load_policy
from _training import ProblemArguments, load_apps_problems, load_start, prepared
from _training_report import console
from datasets import Dataset
from rich.table import Table
from transformers import AutoModelForTokenClassification, AutoTokenizer, TrainingArguments
from trl import ModelConfig, TrlParser

from trl_rltf.completions import extract_program
from trl_rltf.critic.model import LABEL_SETTINGS
from trl_rltf.critic.training import CriticEvaluation, read_graded_samples, split_by_problem
from trl_rltf.execution import LocalRunner, Program
from trl_rltf.generation import Sampling, generate_completions
from trl_rltf.mini import make_mini_critic


# Flags that the embedded default sets, unless the command line says otherwise. Tuned for two CPU cores.
MINI_SETTINGS: dict[str, Any] = {
    "output_dir": "outputs/mini-critic",
    "learning_rate": 1e-3,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 20,
    "max_steps": 400,
    "per_device_train_batch_size": 32,
    "logging_steps": 20,
    "save_strategy": "no",
    "report_to": "none",
    "dataloader_pin_memory": False,
    "use_cpu": True,
}


@dataclass
class CriticArguments(ProblemArguments):
    """
    Arguments of the script.

    Args:
        critic_model_name_or_path (`str`, *optional*):
            Model that the critic starts from; by default a tiny one for MiniAPPS, else the policy's.
    """

    critic_model_name_or_path: str | None = field(
        default=None,
        metadata={"help": "Model that the critic starts from; by default a tiny one for MiniAPPS, else the policy's."},
    )
    samples: str | None = field(
        default=None,
        metadata={
            "help": "JSON Lines of graded samples, with prompt, completion and outcome. Without it, the policy samples."
        },
    )
    num_samples: int = field(default=8, metadata={"help": "Samples a training problem, where the policy samples."})
    temperature: float = field(default=0.6, metadata={"help": "Temperature of these samples."})
    max_completion_length: int = field(default=96, metadata={"help": "Tokens that such a sample may have."})
    max_prompt_length: int | None = field(default=None, metadata={"help": "Tokens of a prompt that the policy sees."})
    pooling: str = field(
        default="last",
        metadata={"help": "'last' labels each token; 'max' the highest logits over the tokens, nearer to CodeRL."},
    )
    max_length: int | None = field(default=None, metadata={"help": "Tokens of prompt and completion for the critic."})


def settings_for(parser: TrlParser) -> tuple[CriticArguments, TrainingArguments, ModelConfig]:
    """Read the flags; without a model, the settings of the embedded default are the defaults."""
    script_args, training_args, model_args = parser.parse_args_and_config()
    if model_args.model_name_or_path is None and script_args.critic_model_name_or_path is None:
        parser.set_defaults(**MINI_SETTINGS)
        script_args, training_args, model_args = parser.parse_args_and_config()
    return script_args, training_args, model_args


def load_samples(
    script_args: CriticArguments, training_args: TrainingArguments, model_args: ModelConfig
) -> tuple[Dataset, Dataset, Any]:
    """Graded samples to train on and of held-out problems, and the tokenizer of the policy that made them, if it is known."""
    if script_args.samples is not None and script_args.dataset_name is None:
        return *split_by_problem(read_graded_samples(script_args.samples), seed=training_args.seed), None
    train_set, test_set = prepared(load_apps_problems(script_args), script_args)
    if script_args.samples is not None:
        prompts = {row["problem_id"]: row["prompt"] for part in (train_set, test_set) for row in part}
        samples = read_graded_samples(script_args.samples, prompts)
        return *split_by_problem(samples, seed=training_args.seed), None
    if model_args.model_name_or_path is None:
        policy, tokenizer = load_start(
            script_args, training_args, model_args, train_set, script_args.max_prompt_length
        )
    else:
        policy, tokenizer = load_policy(model_args)
        policy.to(training_args.device)
    sampling = Sampling(
        temperature=script_args.temperature,
        max_completion_length=script_args.max_completion_length,
        max_prompt_length=script_args.max_prompt_length,
    )
    with LocalRunner(timeout=script_args.test_timeout, allow_code_eval=True) as runner:
        parts = [
            graded_samples(policy, tokenizer, part, runner, sampling, script_args.num_samples, training_args.seed)
            for part in (train_set, test_set)
        ]
    Path(training_args.output_dir).mkdir(parents=True, exist_ok=True)
    for part, name in zip(parts, ("train", "test"), strict=True):
        with open(f"{training_args.output_dir}/samples-{name}.jsonl", "w") as file:
            file.writelines(f"{json.dumps(row)}\n" for row in part)
    return *map(Dataset.from_list, parts), tokenizer


def graded_samples(
    policy: Any,
    tokenizer: Any,
    problems: Dataset,
    runner: LocalRunner,
    sampling: Sampling,
    num_samples: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Sample programs for each problem, and keep what their unit tests find."""
    rows = [row for row in problems for _ in range(num_samples)]
    prompts = [row["prompt"] for row in rows]
    completions = generate_completions(policy, tokenizer, prompts, sampling, seed=seed, description="sampling")
    programs = [extract_program(text).code for text in completions]
    reports = runner.run([Program(text, row["tests"]) for text, row in zip(programs, rows, strict=True)])
    return [
        {name: row[name] for name in ("problem_id", "prompt")} | {"completion": text, "outcome": report.outcome.name}
        for row, text, report in zip(rows, completions, reports, strict=True)
    ]


def load_critic(script_args: CriticArguments, model_args: ModelConfig, tokenizer: Any, seed: int) -> tuple[Any, Any]:
    """An untrained critic, and its tokenizer."""
    name = script_args.critic_model_name_or_path or model_args.model_name_or_path
    if name is not None:
        model = AutoModelForTokenClassification.from_pretrained(
            name, **LABEL_SETTINGS, dtype=model_args.dtype, ignore_mismatched_sizes=True
        )
        return model, AutoTokenizer.from_pretrained(name)
    if tokenizer is None:
        raise SystemExit("--samples needs --critic_model_name_or_path: the model that the critic starts from.")
    return make_mini_critic(tokenizer, seed), tokenizer


def report(result: CriticEvaluation) -> None:
    """Print how often the critic is right about programs of held-out problems."""
    table = Table(title=f"{sum(result.counts.values())} samples of held-out problems")
    for name in ("outcome", "samples", "named right", "probability at its tokens"):
        table.add_column(name, justify="left" if name == "outcome" else "right")
    for label, count in result.counts.items():
        share = result.num_correct[label] / count
        table.add_row(label, str(count), f"{share:.1%}", f"{result.token_probability[label]:.2f}")
    table.add_section()
    table.add_row("all", str(sum(result.counts.values())), f"{result.accuracy:.1%}", "")
    table.add_row("always the most frequent one", "", f"{result.majority:.1%}", "")
    console.print(table)
