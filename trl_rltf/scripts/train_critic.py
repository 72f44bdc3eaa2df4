"""
Train a critic and measure it on held-out problems.

A critic predicts the outcome of the unit tests of a program. Without a model, this is a demo: a tiny policy is warmed
up and sampled on MiniAPPS, and a tiny critic is trained on these samples.

    trl-rltf train-critic --samples samples.jsonl --critic_model_name_or_path Salesforce/codet5-base --num_train_epochs 3
    accelerate launch -m trl_rltf.scripts.train_critic

Sampling runs model-written code, in the sandbox described in docs/execution.md.
"""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import AutoModelForTokenClassification, AutoTokenizer, TrainingArguments
from trl import ModelConfig

from ..completions import extract_program
from ..critic import Critic, CriticTrainer, evaluate_critic
from ..critic.model import LABEL_SETTINGS
from ..critic.training import read_graded_samples, split_by_problem
from ..execution import Program, Runner
from ..execution.limits import problem_limits
from ..generation import Sampling, generate_completions
from ..mini import make_mini_critic
from ..mini.demo import DEMO_CRITIC_TRAINING
from .arguments import CriticScriptArguments
from .bad_input import short_errors
from .parser import ScriptParser
from .policy import load_policy
from .problems import check_problems_are_named, load_problems
from .runners import runner_of
from .tables import banner, console, critic_table
from .warm_start import load_policy_and_warm_start


def main(script_args: CriticScriptArguments, training_args: TrainingArguments, model_args: ModelConfig) -> None:
    """
    Sample or read graded programs, train a critic on them, and measure it.

    Args:
        script_args ([`CriticScriptArguments`]): Samples, problems and critic.
        training_args ([`~transformers.TrainingArguments`]): Arguments of the trainer.
        model_args ([`~trl.ModelConfig`]): The policy that samples.
    """
    banner("1. Graded samples")
    train_set, test_set, tokenizer = load_samples(script_args, training_args, model_args)
    model, tokenizer = load_critic(script_args, model_args, tokenizer, training_args.seed)

    banner(f"2. The critic learns from {len(train_set)} samples")
    trainer = CriticTrainer(
        model,
        training_args,
        train_set,
        processing_class=tokenizer,
        pooling=script_args.pooling,
        max_length=script_args.max_length,
    )
    trainer.train()
    trainer.save_model(training_args.output_dir)

    banner("3. Held-out problems")
    critic = Critic(trainer.model, tokenizer, max_length=script_args.max_length)
    if trainer.accelerator.is_main_process:
        console.print(critic_table(evaluate_critic(critic, test_set)))
        console.print(f"Critic: {training_args.output_dir}", soft_wrap=True)


def load_samples(
    script_args: CriticScriptArguments, training_args: TrainingArguments, model_args: ModelConfig
) -> tuple[Dataset, Dataset, Any]:
    """
    Read graded samples, or let the policy sample and grade its programs.

    Args:
        script_args ([`CriticScriptArguments`]): File of samples, or problems and sampling.
        training_args ([`~transformers.TrainingArguments`]): Seed, device and output folder.
        model_args ([`~trl.ModelConfig`]): The policy.

    Returns:
        `tuple`: Samples to train on, samples of held-out problems, and the tokenizer of the policy, or `None` if the samples
        were read.
    """
    if script_args.samples is not None and script_args.dataset_name is None:
        return *split_by_problem(read_graded_samples(script_args.samples), seed=training_args.seed), None
    if script_args.samples is None:
        check_problems_are_named(script_args, model_args.model_name_or_path)
    train_set, test_set = load_problems(script_args)
    if script_args.samples is not None:
        prompts = {row["problem_id"]: row["prompt"] for part in (train_set, test_set) for row in part}
        samples = read_graded_samples(script_args.samples, prompts)
        return *split_by_problem(samples, seed=training_args.seed), None
    if model_args.model_name_or_path is None:
        policy, tokenizer = load_policy_and_warm_start(
            script_args,
            training_args,
            model_args,
            train_set,
            max_prompt_length=script_args.max_prompt_length,
            max_completion_length=script_args.max_completion_length,
        )
    else:
        policy, tokenizer = load_policy(model_args, gguf_file=script_args.gguf_file)
        policy.to(training_args.device)
    sampling = Sampling(
        temperature=script_args.temperature,
        max_completion_length=script_args.max_completion_length,
        max_prompt_length=script_args.max_prompt_length,
    )
    with runner_of(script_args) as runner:
        parts = [
            sample_and_grade(policy, tokenizer, part, runner, sampling, script_args.num_samples, training_args.seed)
            for part in (train_set, test_set)
        ]
    folder = Path(training_args.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    for part, name in zip(parts, ("train", "test"), strict=True):
        (folder / f"samples-{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in part))
    return *map(Dataset.from_list, parts), tokenizer


def sample_and_grade(
    policy: Any,
    tokenizer: Any,
    problems: Dataset,
    runner: Runner,
    sampling: Sampling,
    num_samples: int,
    seed: int,
) -> list[dict[str, Any]]:
    """
    Sample programs for each problem and grade them.

    Args:
        policy ([`~transformers.PreTrainedModel`]): The policy.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Its tokenizer.
        problems ([`~datasets.Dataset`]): Problems.
        runner ([`~execution.Runner`]): Runs the tests.
        sampling ([`~generation.Sampling`]): How to sample.
        num_samples (`int`): Samples per problem.
        seed (`int`): Seed of the sampling.

    Returns:
        `list[dict]`: `problem_id`, `prompt`, `completion` (the program) and `outcome` of each sample.
    """
    rows = [row for row in problems for _ in range(num_samples)]
    prompts = [row["prompt"] for row in rows]
    completions = generate_completions(policy, tokenizer, prompts, sampling, seed=seed, description="sampling")
    programs = [extract_program(text).code for text in completions]
    reports = runner.run(
        [Program(text, row["tests"], **problem_limits(row)) for text, row in zip(programs, rows, strict=True)]
    )
    return [
        {name: row[name] for name in ("problem_id", "prompt")} | {"completion": text, "outcome": report.outcome.name}
        for row, text, report in zip(rows, completions, reports, strict=True)
    ]


def load_critic(
    script_args: CriticScriptArguments, model_args: ModelConfig, tokenizer: Any, seed: int
) -> tuple[Any, Any]:
    """
    Load the model that the critic starts from, or make a tiny one.

    Args:
        script_args ([`CriticScriptArguments`]): Name of the model.
        model_args ([`~trl.ModelConfig`]): The policy, from which the critic starts by default.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`] or `None`): Tokenizer of the policy, for a tiny critic.
        seed (`int`): Seed of the tiny critic.

    Returns:
        `tuple`: The untrained critic and its tokenizer.

    Raises:
        ValueError: If samples were read, and no model is given.
    """
    name = script_args.critic_model_name_or_path or model_args.model_name_or_path
    if name is not None:
        model = AutoModelForTokenClassification.from_pretrained(
            name, **LABEL_SETTINGS, dtype=model_args.dtype, ignore_mismatched_sizes=True
        )
        return model, AutoTokenizer.from_pretrained(name)
    if tokenizer is None:
        raise ValueError("--samples needs --critic_model_name_or_path: the model that the critic starts from.")
    return make_mini_critic(tokenizer, seed=seed), tokenizer


def make_parser(prog: str | None = None) -> ScriptParser:
    """
    Make the parser of the script.

    Args:
        prog (`str`, *optional*): Name of the program in the help.

    Returns:
        [`~trl.TrlParser`]: It parses [`CriticScriptArguments`], [`~transformers.TrainingArguments`] and
        [`~trl.ModelConfig`].
    """
    return ScriptParser((CriticScriptArguments, TrainingArguments, ModelConfig), choose_defaults, prog=prog)


def choose_defaults(chosen: Namespace) -> dict[str, Any]:
    """
    Choose the defaults of the training: those of the demo if there is no model.

    Args:
        chosen (`Namespace`): The parsed arguments.

    Returns:
        `dict`: Defaults by name of the argument.
    """
    has_model = chosen.model_name_or_path is not None or chosen.critic_model_name_or_path is not None
    return {} if has_model else DEMO_CRITIC_TRAINING


if __name__ == "__main__":
    # As in TRL's scripts: a configuration file may have arguments of `accelerate launch`, which `trl-rltf` passes on.
    with short_errors("trl-rltf train-critic"):
        main(*make_parser().parse_args_and_config(fail_with_unknown_args=False))
