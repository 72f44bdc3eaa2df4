"""
Measure pass@k of a model on APPS or MBPP.

A killed run is resumed by the same command.

    trl-rltf evaluate --benchmark mbpp --model_name_or_path Qwen/Qwen2.5-Coder-0.5B --num_samples 20
    accelerate launch -m trl_rltf.scripts.evaluate --model_name_or_path Qwen/Qwen2.5-Coder-0.5B

Running the script is the opt-in to running model-written code, in the sandbox described in docs/execution.md. The page
docs/evaluation.md describes the figures.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from trl import ModelConfig

from .. import __version__
from ..critic import Critic, CriticSampler
from ..data import load_apps, load_mbpp, visible_tests
from ..execution import Runner
from ..generation import Sampling, prompt_lengths
from ..metrics import (
    EmptySampler,
    Evaluation,
    PolicySampler,
    ReferenceSampler,
    Sampler,
    VLLMSampler,
    VLLMServerSampler,
    choose_ks,
    summarize,
    summarize_filtered,
)
from ..metrics import evaluate as evaluate_problems
from .arguments import EvaluationArguments
from .parser import ScriptParser
from .policy import load_policy
from .problems import APPS, MBPP
from .runners import make_runner
from .tables import console, evaluation_table
from .vllm_policy import load_vllm_sampler


# Arguments that may change when a run is resumed. The problems are compared themselves, not the name of their dataset.
_MAY_CHANGE = ("dataset_name", "num_workers", "ray_address", "batch_size", "use_cpu", "output_dir", "k", "use_vllm")


@dataclass(frozen=True)
class Benchmark:
    """
    A benchmark and the published figures.

    The figures are those of CodeT5 770M, trained on APPS with RLTF (arXiv 2307.04349).

    Args:
        name (`str`): Name in the table.
        ks (`tuple[int, ...]`): Usual k of pass@k.
        published (`Mapping[str, Mapping[str, float]]`): Percentages by name of the figure and group of problems.
    """

    name: str
    ks: tuple[int, ...]
    published: Mapping[str, Mapping[str, float]]


BENCHMARKS = {
    # Tables 3 and 5: without critic sampling, on the 5,000 test problems.
    "apps": Benchmark(
        "APPS",
        (1, 5, 10, 100, 1000),
        {
            "pass@1": {"all": 1.45, "introductory": 4.16, "interview": 0.97, "competition": 0.20},
            "pass@5": {"all": 3.78},
            "pass@10": {"all": 5.21},
            "pass@1000": {"all": 19.92},
        },
    ),
    # Table 9: without an example of MBPP.
    "mbpp": Benchmark("MBPP", (1, 5, 10, 80, 100, 1000), {"pass@1": {"all": 30.4}, "pass@80": {"all": 71.3}}),
}


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
    benchmark = BENCHMARKS[script_args.benchmark]
    ks = choose_ks(script_args.k, script_args.num_samples, default=benchmark.ks)
    if script_args.programs == "model" and model_args.model_name_or_path is None:
        raise ValueError("Give `--model_name_or_path`, or `--programs reference` to grade the reference solutions.")
    problems = load_problems(script_args)
    if script_args.programs == "reference":
        with_solution = [index for index, solutions in enumerate(problems["solutions"]) if solutions]
        if rank == 0 and len(with_solution) < len(problems):
            console.print(f"{len(problems) - len(with_solution)} problems have no reference solution: left out.")
        problems = problems.select(with_solution)
    folder = Path(script_args.output_dir or f"outputs/{script_args.benchmark}-{_label(script_args, model_args)}")
    with make_runner(
        script_args.ray_address, timeout=script_args.test_timeout, num_workers=script_args.num_workers
    ) as runner:
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


def load_problems(script_args: EvaluationArguments) -> Dataset:
    """
    Load the problems of an evaluation.

    Args:
        script_args ([`EvaluationArguments`]): Arguments of the run.
    """
    split = script_args.dataset_test_split
    if script_args.benchmark == "mbpp":
        problems = load_mbpp(script_args.dataset_name or MBPP, split)
    else:
        problems = load_apps(script_args.dataset_name or APPS, split, difficulties=script_args.difficulties)
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
            _report_long_prompts(sampler, problems)
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
        as_chat=script_args.prompt_style == "chat",
    )
    if rank == 0:
        _report_long_prompts(policy, problems)
    if script_args.critic_model_name_or_path is None:
        return policy
    critic = Critic(script_args.critic_model_name_or_path)
    return CriticSampler(policy, critic, runner, visible_tests, script_args.critic_prefixes)


def _report_long_prompts(sampler: PolicySampler | VLLMSampler | VLLMServerSampler, problems: Dataset) -> None:
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


def report(result: Evaluation, ks: Sequence[int], script_args: EvaluationArguments, folder: Path) -> None:
    """
    Print the table of an evaluation and write `summary.json`.

    Args:
        result ([`~metrics.Evaluation`]): Counts of the samples.
        ks (`Sequence[int]`): The k of pass@k.
        script_args ([`EvaluationArguments`]): Arguments of the run.
        folder (`Path`): Folder of the run.
    """
    benchmark = BENCHMARKS[script_args.benchmark]
    scores = summarize(result.counts, ks)
    kept = summarize_filtered(result.counts, ks) if script_args.filter_by_examples else {}
    # Shown only if some program has an error in code that the tests do not use; without one, both figures are the same.
    whole = summarize(result.counts, ks, whole_module=True) if result.num_trailing_errors else {}
    figures = {
        group: {
            **estimates,
            **{f"{key}, whole module": value for key, value in whole.get(group, {}).items()},
            **kept.get(group, {}),
        }
        for group, estimates in scores.items()
    }
    title = f"{benchmark.name}: {len(result.counts)} problems, {script_args.num_samples} samples each"
    if script_args.critic_model_name_or_path:
        title += ", continued with a critic"
    console.print(evaluation_table(title, figures, benchmark.published))
    total = sum(result.outcomes.values())
    console.print(
        "  ".join(f"{outcome} {number / total:.1%}" for outcome, number in result.outcomes.items() if number)
    )
    if result.num_trailing_errors:
        console.print(
            f"{result.num_trailing_errors} of {total} programs have an error after the code that the tests use: an example, an "
            "assert of the model, a line that was cut off. 'Whole module' counts it, as LiveCodeBench does."
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


def make_parser(prog: str | None = None) -> ScriptParser:
    """
    Make the parser of the script.

    Args:
        prog (`str`, *optional*): Name of the program in the help.

    Returns:
        [`~trl.TrlParser`]: It parses [`EvaluationArguments`] and [`~trl.ModelConfig`].
    """
    return ScriptParser((EvaluationArguments, ModelConfig), prog=prog)


if __name__ == "__main__":
    # As in TRL's scripts: a configuration file may have arguments of `accelerate launch`, which `trl-rltf` passes on.
    main(*make_parser().parse_args_and_config(fail_with_unknown_args=False))
