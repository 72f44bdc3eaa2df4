"""
Measure pass@k of a model on HumanEval, or on any other benchmark.

A killed run is resumed by the same command.

    trl-rltf evaluate --model_name_or_path Qwen/Qwen2.5-Coder-0.5B-Instruct
    trl-rltf evaluate --benchmark mbpp --model_name_or_path Qwen/Qwen2.5-Coder-0.5B --num_samples 20
    accelerate launch -m trl_rltf.scripts.evaluate --model_name_or_path Qwen/Qwen2.5-Coder-0.5B-Instruct

Running the script is the opt-in to running model-written code, in the sandbox described in docs/execution.md. The page
docs/evaluation.md describes the figures.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from trl import ModelConfig

from .. import __version__
from ..critic import Critic, CriticSampler
from ..data import visible_tests
from ..execution import Runner
from ..generation import Sampling, prompt_lengths
from ..metrics import (
    EmptySampler,
    PolicySampler,
    ReferenceSampler,
    Sampler,
    VLLMSampler,
    VLLMServerSampler,
    choose_ks,
)
from ..metrics import evaluate as evaluate_problems
from .bad_input import short_errors
from .evaluation_arguments import EvaluationArguments
from .evaluation_problems import load_benchmark_problems, select_test_source
from .evaluation_report import published_figures, report
from .parser import ScriptParser
from .policy import load_policy
from .runners import runner_of
from .tables import console
from .vllm_policy import load_vllm_sampler


# Arguments that may change when a run is resumed. The problems are compared themselves, not the name of their dataset.
_MAY_CHANGE = (
    *(
        "dataset_name",
        "num_workers",
        "isolation",
        "ray_address",
        "ray_num_cpus",
        "ray_resources",
        "batch_size",
        "use_cpu",
    ),
    *("output_dir", "k", "use_vllm"),
)


def main(script_args: EvaluationArguments, model_args: ModelConfig) -> None:
    """
    Run the evaluation.

    The first process prints the table and writes `summary.json`.

    Args:
        script_args ([`EvaluationArguments`]): Problems, sampling, grading and folder of the run.
        model_args ([`~trl.ModelConfig`]): The model.

    Raises:
        ValueError: If samples of a model are asked for without a model, or a k is above the number of samples.
    """
    rank, world_size, _ = process_position()
    ks = choose_ks(script_args.k, script_args.num_samples, default=published_figures(script_args.benchmark).ks)
    if script_args.programs == "model" and model_args.model_name_or_path is None:
        raise ValueError("Give `--model_name_or_path`, or `--programs reference` to grade the reference solutions.")
    folder = Path(script_args.output_dir or f"outputs/{script_args.benchmark}-{_label(script_args, model_args)}")
    folder = folder.expanduser()
    problems = load_problems(script_args, folder=folder, is_first=rank == 0)
    if script_args.programs == "reference":
        with_solution = [index for index, solutions in enumerate(problems["solutions"]) if solutions]
        if rank == 0 and len(with_solution) < len(problems):
            console.print(f"{len(problems) - len(with_solution)} problems have no reference solution: left out.")
        problems = problems.select(with_solution)
    with runner_of(script_args) as runner:
        result = evaluate_problems(
            problems,
            lambda: load_sampler(script_args, model_args, runner, problems),
            runner,
            script_args.num_samples,
            folder=folder,
            settings=_settings(script_args, model_args),
            samples_per_shard=script_args.samples_per_shard,
            visible_tests=visible_tests if script_args.filter_by_examples else None,
            seed=script_args.seed,
            rank=rank,
            world_size=world_size,
        )
    if result is not None:
        report(result, ks, script_args, folder)


def process_position() -> tuple[int, int, int]:
    """
    Position of this process among those of the launcher.

    The processes of an evaluation share a folder and need no process group, so that accelerate's state is not needed either.

    Returns:
        `tuple[int, int, int]`: Rank, number of processes, and rank on this machine.
    """
    defaults = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}
    rank, world_size, local_rank = (int(os.environ.get(name, default)) for name, default in defaults.items())
    return rank, world_size, local_rank


def load_problems(script_args: EvaluationArguments, *, folder: Path | None = None, is_first: bool = True) -> Dataset:
    """
    Load the problems of an evaluation.

    Args:
        script_args ([`EvaluationArguments`]): Arguments of the run.
        folder (`Path`, *optional*): Folder of the run, see [`load_benchmark_problems`].
        is_first (`bool`, *optional*, defaults to `True`): Whether this is the first process of the run.
    """
    problems = select_test_source(
        load_benchmark_problems(script_args, folder=folder, is_first=is_first), script_args.test_source
    )
    number = len(problems) if script_args.eval_problems is None else script_args.eval_problems
    return problems.select(range(min(number, len(problems))))


def _label(script_args: EvaluationArguments, model_args: ModelConfig) -> str:
    if script_args.programs != "model":
        return script_args.programs
    source = script_args.adapter_name_or_path or model_args.model_name_or_path
    return Path(source).name.lower()


def _settings(script_args: EvaluationArguments, model_args: ModelConfig) -> dict[str, Any]:
    flags = {
        key: value
        for key, value in asdict(script_args).items()
        if key not in _MAY_CHANGE and not key.startswith("vllm_")
    }
    # Engines round in different ways: samples of two are not mixed. A server may move to another address.
    if script_args.use_vllm or script_args.vllm_server_base_url:
        flags["engine"] = "vllm" if script_args.use_vllm else "server"
    return {"version": __version__, **flags, **asdict(model_args)}


def load_sampler(
    script_args: EvaluationArguments, model_args: ModelConfig, runner: Runner, problems: Dataset
) -> Sampler:
    """
    Load the model, or find its server, for an evaluation.

    Args:
        script_args ([`EvaluationArguments`]): Arguments of the run.
        model_args ([`~trl.ModelConfig`]): The model.
        runner ([`~execution.Runner`]): Runs the visible tests, with a critic.
        problems ([`~datasets.Dataset`]): Problems; the first process counts their long prompts.
    """
    if script_args.programs != "model":
        return ReferenceSampler() if script_args.programs == "reference" else EmptySampler()
    assert script_args.temperature is not None
    sampling = Sampling(
        temperature=script_args.temperature,
        top_p=script_args.top_p,
        max_completion_length=script_args.max_completion_length,
        max_prompt_length=script_args.max_prompt_length,
        stop_strings=tuple(script_args.stop_strings or ()),
    )
    rank, world_size, local_rank = process_position()
    if script_args.use_vllm or script_args.vllm_server_base_url:
        sampler = load_vllm_sampler(script_args, model_args, sampling, world_size)
        if rank == 0:
            _report_prompts(sampler, problems, script_args)
        return sampler
    use_accelerator = torch.accelerator.is_available() and not script_args.use_cpu
    if use_accelerator:
        torch.accelerator.set_device_index(local_rank)
    model, tokenizer = load_policy(
        model_args,
        gguf_file=script_args.gguf_file,
        adapter=script_args.adapter_name_or_path,
        trust_remote_code=script_args.trust_remote_code,
    )
    if use_accelerator and not (model_args.load_in_4bit or model_args.load_in_8bit):
        model.to(torch.accelerator.current_accelerator())
    policy = PolicySampler(
        model,
        tokenizer,
        sampling,
        batch_size=script_args.batch_size,
        prompt_style=script_args.style_of_prompts(tokenizer),
    )
    if rank == 0:
        _report_prompts(policy, problems, script_args)
    if script_args.critic_model_name_or_path is None:
        return policy
    critic = Critic(script_args.critic_model_name_or_path)
    return CriticSampler(policy, critic, runner, visible_tests, script_args.critic_prefixes)


def _report_prompts(
    sampler: PolicySampler | VLLMSampler | VLLMServerSampler, problems: Dataset, script_args: EvaluationArguments
) -> None:
    if sampler.prompt_style == "chat" and script_args.prompt_style is None:
        console.print(
            "Prompts are chat messages, since the tokenizer has a chat template. A base model needs `--prompt_style plain`."
        )
    limit = sampler.sampling.max_prompt_length
    if limit is None:
        return
    lengths = prompt_lengths(sampler.tokenizer, list(map(sampler.prompt, problems)))
    num_long = sum(length > limit for length in lengths)
    if num_long:
        console.print(
            f"{num_long} of {len(lengths)} prompts have more than {limit} tokens, the longest {max(lengths)}: the beginning of "
            "their content is cut."
        )


def make_parser(prog: str | None = None) -> ScriptParser:
    """
    Make the parser of the script.

    Args:
        prog (`str`, *optional*): Name of the program in the help.

    Returns:
        [`~trl.TrlParser`]: It parses [`EvaluationArguments`] and [`~trl.ModelConfig`].
    """
    parser = ScriptParser((EvaluationArguments, ModelConfig), prog=prog)
    # TRL's default, float32, is for training: it takes twice the memory of most models, and several times as long on a CPU.
    parser.set_defaults(dtype="auto")
    return parser


if __name__ == "__main__":
    # As in TRL's scripts: a configuration file may have arguments of `accelerate launch`, which `trl-rltf` passes on.
    with short_errors("trl-rltf evaluate"):
        main(*make_parser().parse_args_and_config(fail_with_unknown_args=False))
