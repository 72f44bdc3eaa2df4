"""What `train_apps.py` needs around the training: its flags, the data, the warm start and the closing report."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
from datasets import Dataset
from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import (
    ModelConfig,
    ScriptArguments,
    SFTConfig,
    SFTTrainer,
    TrlParser,
    get_quantization_config,
)

from trl_rltf import RLTFConfig, load_apps, make_mini_apps
from trl_rltf.data import add_bug, make_mini_model
from trl_rltf.execution import Outcome
from trl_rltf.metrics import PolicyEvaluation


# Flags that the embedded default sets, unless the command line says otherwise. Tuned for two CPU cores.
MINI_SETTINGS: dict[str, Any] = {
    "output_dir": "outputs/mini-apps",
    "learning_rate": 3e-5,
    "lr_scheduler_type": "constant_with_warmup",
    "warmup_steps": 10,
    "max_steps": 120,
    "per_device_train_batch_size": 64,
    "num_generations": 8,
    "max_completion_length": 96,
    "temperature": 0.6,
    "logging_steps": 5,
    "save_strategy": "no",
    "report_to": "none",
    "dataloader_pin_memory": False,
    "gradient_checkpointing": False,
}
NUM_DRAFTS = 8  # programs a problem in the warm start, each with its own bug or none
console = Console()


@dataclass
class AppsArguments(ScriptArguments):
    """
    Arguments of the script.

    Args:
        dataset_name (`str`, *optional*):
            Folder in the layout of APPS, or a Hub dataset such as `codeparrot/apps`. Without it, MiniAPPS.
    """

    dataset_name: str | None = field(
        default=None, metadata={"help": "Folder in the layout of APPS, or a Hub dataset. Without it, MiniAPPS."}
    )
    difficulties: list[str] | None = field(default=None, metadata={"help": "Difficulties to keep; all by default."})
    warm_start_steps: int | None = field(
        default=None,
        metadata={"help": "Steps of supervised training on reference solutions before RL; 240 on MiniAPPS, else 0."},
    )
    warm_start_bug_share: float = field(
        default=0.75,
        metadata={"help": "Share of the warm start's programs that get a bug, as scraped code has; MiniAPPS only."},
    )
    warm_start_learning_rate: float = field(default=1e-3, metadata={"help": "Learning rate of the warm start."})
    fine_weight: float = field(default=0.3, metadata={"help": "Penalty on the tokens of an error; 0 switches it off."})
    adaptive_weight: float = field(default=1.0, metadata={"help": "Weight of the share of tests passed; 0 is off."})
    critic_model_name_or_path: str | None = field(
        default=None, metadata={"help": "Critic that weighs the token rewards, from train_critic.py; none by default."}
    )
    use_buffer: bool = field(default=False, metadata={"help": "Train from an online buffer instead of on-policy."})
    buffer_capacity: int = field(default=6400, metadata={"help": "Samples in the online buffer."})
    update_steps: int = field(default=50, metadata={"help": "Optimizer steps between refreshes of the buffer."})
    test_timeout: float = field(default=4.0, metadata={"help": "CPU seconds that each unit test may use."})
    eval_samples: int = field(default=10, metadata={"help": "Samples a held-out problem for pass@k."})
    eval_problems: int | None = field(default=None, metadata={"help": "Held-out problems; all by default."})


def settings_for(parser: TrlParser) -> tuple[AppsArguments, RLTFConfig, ModelConfig]:
    """Read the flags; without a model, the settings of the embedded default are the defaults."""
    script_args, training_args, model_args = parser.parse_args_and_config()
    if model_args.model_name_or_path is None:
        parser.set_defaults(**MINI_SETTINGS)
        script_args, training_args, model_args = parser.parse_args_and_config()
    if script_args.dataset_name is not None and model_args.model_name_or_path is None:
        sys.exit("--dataset_name needs --model_name_or_path: the embedded tiny model knows MiniAPPS only.")
    return script_args, training_args, model_args


def load_problems(script_args: AppsArguments) -> tuple[Dataset, Dataset]:
    """Training and held-out problems."""
    name, levels = script_args.dataset_name, script_args.difficulties
    if name is None:
        train_set, test_set = make_mini_apps("train", difficulties=levels), make_mini_apps("test", difficulties=levels)
    else:
        train_set = load_apps(name, script_args.dataset_train_split, levels)
        try:
            test_set = load_apps(name, script_args.dataset_test_split, levels)
        except FileNotFoundError:
            console.print(
                f"{name} has no split {script_args.dataset_test_split!r}: a fifth of the training set is held out."
            )
            parts = train_set.train_test_split(test_size=0.2, seed=0)
            train_set, test_set = parts["train"], parts["test"]
    if script_args.eval_problems is not None:
        test_set = test_set.select(range(min(script_args.eval_problems, len(test_set))))
    return train_set, test_set


def load_start(
    script_args: AppsArguments, training_args: RLTFConfig, model_args: ModelConfig, train_set: Dataset
) -> tuple[Any, Any]:
    """The model that RL starts from, after its warm start."""
    steps = script_args.warm_start_steps
    if model_args.model_name_or_path is None:
        model, tokenizer = make_mini_model(train_set, seed=training_args.seed)
        steps = 240 if steps is None else steps
    else:
        quantization = get_quantization_config(model_args)
        model = AutoModelForCausalLM.from_pretrained(
            model_args.model_name_or_path,
            revision=model_args.model_revision,
            trust_remote_code=training_args.trust_remote_code,
            attn_implementation=model_args.attn_implementation,
            dtype=model_args.dtype,
            quantization_config=quantization,
        )
        tokenizer = AutoTokenizer.from_pretrained(model_args.model_name_or_path, padding_side="left")
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    if steps:
        warm_start(model, tokenizer, train_set, steps, script_args, training_args)
    return model, tokenizer


def warm_start(
    model: Any, tokenizer: Any, problems: Dataset, steps: int, script_args: AppsArguments, training_args: RLTFConfig
) -> None:
    """Supervised training on the first reference solution of each problem, with TRL's SFTTrainer."""
    rng = random.Random(training_args.seed)
    share = script_args.warm_start_bug_share if script_args.dataset_name is None else 0.0
    rows = []
    for _ in range(NUM_DRAFTS if share else 1):
        for row in problems:
            if row["solutions"]:
                program = row["solutions"][0]
                program = add_bug(program, rng) if rng.random() < share else program
                rows.append({"prompt": row["prompt"], "completion": program})
    config = SFTConfig(
        output_dir=f"{training_args.output_dir}/warm-start",
        max_steps=steps,
        learning_rate=script_args.warm_start_learning_rate,
        warmup_steps=10,
        per_device_train_batch_size=32,
        seed=training_args.seed,
        bf16=training_args.bf16,
        gradient_checkpointing=training_args.gradient_checkpointing,
        logging_steps=10,
        save_strategy="no",
        report_to="none",
        use_cpu=training_args.use_cpu,
    )
    SFTTrainer(model, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer).train()


def banner(text: str) -> None:
    """Announce a stage."""
    console.print(Rule(text, align="left"))


def report(before: PolicyEvaluation, after: PolicyEvaluation, history: Sequence[dict[str, Any]], folder: str) -> None:
    """Print the closing table and draw the learning curve."""
    table = Table(title=f"{len(before.num_correct)} held-out problems, {before.num_samples} samples each")
    table.add_column("")
    for name in ("warm start", "after RL", "difference"):
        table.add_column(name, justify="right")
    for k in (1, 5):
        if k <= before.num_samples:
            start, end = before.pass_at_k(k), after.pass_at_k(k)
            cells = [
                f"{result.pass_at_k(k):.1%} [{low:.0%}, {high:.0%}]"
                for result in (before, after)
                for low, high in [result.interval(k)]
            ]
            table.add_row(f"pass@{k} [95 % interval]", *cells, f"{100 * (end - start):+.1f} points")
    for outcome in reversed(Outcome):
        start, end = before.outcome_shares[outcome.name], after.outcome_shares[outcome.name]
        if outcome is not Outcome.NOT_GRADABLE or start or end:
            table.add_row(outcome.name, f"{start:.1%}", f"{end:.1%}", f"{100 * (end - start):+.1f} points")
    console.print(table)
    picture = Path(folder) / "learning_curve.png"
    draw_curve(before, after, history, picture)
    console.print(f"Model: {folder}   Learning curve: {picture}")


def draw_curve(
    before: PolicyEvaluation, after: PolicyEvaluation, history: Sequence[dict[str, Any]], path: Path
) -> None:
    """Outcome shares of the training samples over time, and held-out pass@1 at both ends."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = [row for row in history if "outcome/pass" in row]
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for outcome in reversed(Outcome):
        key = f"outcome/{outcome.name.lower()}"
        values = [row[key] for row in rows]
        if any(values):
            axes.plot([row["step"] for row in rows], values, label=f"{outcome.name} (training samples)")
    if rows:
        axes.plot(
            [0, rows[-1]["step"]],
            [before.pass_at_k(1), after.pass_at_k(1)],
            "ko--",
            label="pass@1 (held-out problems)",
        )
    axes.set(xlabel="optimizer step", ylabel="share", ylim=(0, 1), title="Learning from unit tests")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
