"""Name the command that evaluates a model which a script has trained."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from datasets import Dataset
from trl import ModelConfig

from ..metrics.shards import write_whole
from ..trainer import RLTFConfig
from .arguments import RLTFScriptArguments
from .problems import uses_mini_apps


HELD_OUT = "held_out.jsonl"
_COLUMNS = ("prompt", "tests", "solutions", "problem_id", "difficulty", "starter_code", "time_limit", "memory_limit")


def evaluation_command(
    script_args: RLTFScriptArguments, training_args: RLTFConfig, model_args: ModelConfig, test_set: Dataset
) -> str:
    """
    Write the command that evaluates the trained model on the held-out problems.

    Held-out problems that are not a split of APPS or MBPP are written to `held_out.jsonl` in the output folder, which the command
    names: a fifth of the training problems, those of MiniAPPS, or of a dataset with other columns.

    Args:
        script_args ([`RLTFScriptArguments`]): Arguments of the training: problems and style of their prompts.
        training_args ([`RLTFConfig`]): Output folder, lengths and sampling.
        model_args ([`~trl.ModelConfig`]): The model.
        test_set ([`~datasets.Dataset`]): The held-out problems.

    Returns:
        `str`: The command, ready to paste. It has the prompts, the lengths and the sampling of the training.
    """
    problems: dict[str, Any]
    if _is_split_of_benchmark(script_args):
        names = ("benchmark", "dataset_name", "dataset_test_split", "difficulties")
        problems = {name: getattr(script_args, name) for name in names}
    else:
        path = Path(training_args.output_dir) / HELD_OUT
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = [name for name in _COLUMNS if name in test_set.column_names]
        write_whole(path, (json.dumps({name: row[name] for name in columns}) + "\n" for row in test_set))
        problems = {"benchmark": "columns", "dataset_name": str(path)}
    # An adapter names the folder of a warm start as its base model, which has whole weights.
    needs_file = model_args.use_peft and not (Path(training_args.output_dir) / "warm-start").is_dir()
    flags: dict[str, Any] = {
        **problems,
        "model_name_or_path": training_args.output_dir,
        "gguf_file": script_args.gguf_file if needs_file else None,
        "prompt_style": script_args.prompt_style,
        "max_prompt_length": training_args.max_prompt_length,
        "max_completion_length": training_args.max_completion_length,
        "num_samples": script_args.eval_samples,
        "temperature": training_args.temperature if script_args.eval_samples > 1 else None,
        "top_p": training_args.top_p,
    }
    words = ["trl-rltf", "evaluate"]
    for name, value in flags.items():
        if value is not None:
            words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return shlex.join(words)


def _is_split_of_benchmark(script_args: RLTFScriptArguments) -> bool:
    if script_args.benchmark == "mbpp":
        return True
    if script_args.benchmark != "apps" or uses_mini_apps(script_args):
        return False
    folder = Path(str(script_args.dataset_name)).expanduser()
    return not folder.is_dir() or (folder / script_args.dataset_test_split).is_dir()
