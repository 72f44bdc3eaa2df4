"""What the training examples have in common: their flags, the data and the model that RL starts from."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from _models import load_policy
from _training_report import console
from _warm_start import warm_start
from datasets import Dataset
from transformers import TrainingArguments
from trl import ModelConfig, ScriptArguments, TrlParser

from trl_rltf import RLTFConfig, UnitTestRewardFunction, load_apps, load_mbpp, make_mini_apps
from trl_rltf.execution import LocalRunner
from trl_rltf.mini import make_mini_model


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
MBPP = "google-research-datasets/mbpp"


@dataclass
class ProblemArguments(ScriptArguments):
    """
    Arguments of the training examples, beside those of [`RLTFConfig`] and [`~trl.ModelConfig`].

    Args:
        dataset_name (`str`, *optional*):
            Folder in the layout of APPS, or a Hub dataset such as `codeparrot/apps`. Without it, MiniAPPS. For
            train_mbpp.py, an `mbpp.jsonl`, or a Hub dataset with the columns of MBPP.
    """

    dataset_name: str | None = field(
        default=None, metadata={"help": "Folder or file of the problems, or a Hub dataset. Without it, MiniAPPS."}
    )
    difficulties: list[str] | None = field(default=None, metadata={"help": "Difficulties to keep; all by default."})
    prompt_style: str = field(
        default="plain",
        metadata={"help": "'plain' text, or 'chat': a message of a user, for models that follow instructions."},
    )
    architecture: str = field(
        default="llama", metadata={"help": "Class of the embedded tiny model: 'llama', or 't5', an encoder-decoder."}
    )
    gguf_file: str | None = field(
        default=None, metadata={"help": "File in GGUF format in the folder or repository of the model."}
    )
    warm_start_steps: int | None = field(
        default=None,
        metadata={"help": "Steps of supervised training on reference solutions before RL; 240 on MiniAPPS, else 0."},
    )
    warm_start_epochs: float | None = field(
        default=None, metadata={"help": "Epochs of supervised training, where no number of steps is given."}
    )
    warm_start_solutions: int = field(
        default=1, metadata={"help": "Reference solutions of a problem in the warm start, at most."}
    )
    warm_start_bug_share: float = field(
        default=0.75,
        metadata={"help": "Share of the warm start's programs that get a bug, as scraped code has; MiniAPPS only."},
    )
    warm_start_slip_share: float = field(
        default=0.0,
        metadata={"help": "Instead: share of the lines of the warm start's programs that get a slip; MiniAPPS only."},
    )
    warm_start_learning_rate: float = field(default=1e-3, metadata={"help": "Learning rate of the warm start."})
    warm_start_batch_size: int = field(default=32, metadata={"help": "Batch size of the warm start on each device."})
    warm_start_accumulation_steps: int = field(
        default=1, metadata={"help": "Batches that the warm start accumulates for an optimizer step."}
    )
    paper_feedback: bool = field(
        default=False,
        metadata={"help": "Rewards of the paper: outcome classes, and a penalty on the tokens of an error."},
    )
    fine_weight: float | None = field(
        default=None,
        metadata={"help": "Weight of the rewards of single tokens; 0 switches them off. 1.0, or the paper's 0.3."},
    )
    adaptive_weight: float = field(default=1.0, metadata={"help": "Weight of the share of tests passed; 0 is off."})
    critic_model_name_or_path: str | None = field(
        default=None, metadata={"help": "Critic that weighs the token rewards, from train_critic.py; none by default."}
    )
    use_buffer: bool = field(default=False, metadata={"help": "Train from an online buffer instead of on-policy."})
    buffer_capacity: int = field(default=6400, metadata={"help": "Samples in the online buffer."})
    update_steps: int = field(default=50, metadata={"help": "Optimizer steps between refreshes of the buffer."})
    test_timeout: float = field(default=4.0, metadata={"help": "CPU seconds that each unit test may use."})
    eval_samples: int = field(default=10, metadata={"help": "Samples a held-out problem for pass@k."})
    eval_batch_size: int = field(default=64, metadata={"help": "Samples of held-out problems generated at a time."})
    eval_problems: int | None = field(default=None, metadata={"help": "Held-out problems; all by default."})


def unit_test_reward(script_args: ProblemArguments, runner: LocalRunner) -> UnitTestRewardFunction:
    """The reward function that the flags ask for."""
    settings = {"adaptive_weight": script_args.adaptive_weight}
    if script_args.fine_weight is not None:
        settings["fine_weight"] = script_args.fine_weight
    make_reward = UnitTestRewardFunction.paper if script_args.paper_feedback else UnitTestRewardFunction
    return make_reward(runner, **settings)


def settings_for(parser: TrlParser) -> tuple[ProblemArguments, RLTFConfig, ModelConfig]:
    """Read the flags; without a model, the settings of the embedded default are the defaults."""
    script_args, training_args, model_args = parser.parse_args_and_config()
    if model_args.model_name_or_path is None:
        # Of the tests alone: the warm start has seen the reference solutions, with bugs.
        parser.set_defaults(**MINI_SETTINGS, ce_loss_weight=0.0)
        script_args, training_args, model_args = parser.parse_args_and_config()
    if script_args.dataset_name is not None and model_args.model_name_or_path is None:
        sys.exit("--dataset_name needs --model_name_or_path: the embedded tiny model knows MiniAPPS only.")
    if script_args.prompt_style not in ("plain", "chat"):
        sys.exit(f"--prompt_style is {script_args.prompt_style!r}, but must be 'plain' or 'chat'.")
    return script_args, training_args, model_args


def load_apps_problems(script_args: ProblemArguments) -> tuple[Dataset, Dataset]:
    """Training and held-out problems of APPS, or of MiniAPPS."""
    name, levels = script_args.dataset_name, script_args.difficulties
    if name is None:
        return _mini_apps("train", levels), _mini_apps("test", levels)
    train_set = load_apps(name, script_args.dataset_train_split, levels)
    try:
        return train_set, load_apps(name, script_args.dataset_test_split, levels)
    except FileNotFoundError:
        console.print(
            f"{name} has no split {script_args.dataset_test_split!r}: a fifth of the training set is held out."
        )
        parts = train_set.train_test_split(test_size=0.2, seed=0)
        return parts["train"], parts["test"]


def _mini_apps(split: str, levels: list[str] | None) -> Dataset:
    make_mini_apps(split, num_problems=1, difficulties=levels)  # which says what is wrong with a level
    problems = make_mini_apps(split)
    return problems if levels is None else problems.filter(lambda row: row["difficulty"] in levels)


def load_mbpp_problems(script_args: ProblemArguments) -> tuple[Dataset, Dataset]:
    """Training problems (tasks 601 to 974) and held-out ones (11 to 510) of MBPP."""
    name = script_args.dataset_name = script_args.dataset_name or MBPP
    return load_mbpp(name, script_args.dataset_train_split), load_mbpp(name, script_args.dataset_test_split)


def prepared(problems: tuple[Dataset, Dataset], script_args: ProblemArguments) -> tuple[Dataset, Dataset]:
    """The same problems, with prompts in the style that is asked for, and as many held-out ones."""
    train_set, test_set = problems
    if script_args.eval_problems is not None:
        test_set = test_set.select(range(min(script_args.eval_problems, len(test_set))))
    if script_args.prompt_style == "chat":
        train_set, test_set = (Dataset.from_list([_as_chat(row) for row in part]) for part in (train_set, test_set))
    return train_set, test_set


def _as_chat(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "prompt": [{"role": "user", "content": row["prompt"]}]}


def load_start(
    script_args: ProblemArguments,
    training_args: TrainingArguments,
    model_args: ModelConfig,
    train_set: Dataset,
    max_prompt_length: int | None = None,
) -> tuple[Any, Any]:
    """The model that RL starts from, after its warm start."""
    folder = Path(training_args.output_dir) / "warm-start"
    is_warm = bool(training_args.resume_from_checkpoint) and (folder / "config.json").is_file()
    if is_warm:
        # A checkpoint may hold an adapter alone, and the weights below it are those of the warm start.
        model, tokenizer = load_policy(replace(model_args, model_name_or_path=str(folder)))
    elif model_args.model_name_or_path is None:
        model, tokenizer = make_mini_model(train_set, seed=training_args.seed, architecture=script_args.architecture)
        if script_args.warm_start_steps is None and script_args.warm_start_epochs is None:
            script_args.warm_start_steps = 240
    else:
        model, tokenizer = load_policy(
            model_args, script_args.gguf_file, trust_remote_code=training_args.trust_remote_code
        )
    if model.config.is_encoder_decoder:
        model_args.lora_task_type = "SEQ_2_SEQ_LM"
    if not is_warm and (script_args.warm_start_steps or script_args.warm_start_epochs):
        warm_start(model, tokenizer, train_set, script_args, training_args, str(folder), max_prompt_length)
    return model, tokenizer
