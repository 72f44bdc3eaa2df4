"""Load the problems of a script: APPS, MBPP, MiniAPPS, or those of any dataset."""

from __future__ import annotations

from typing import Any

from datasets import Dataset

from ..data import Columns, load_apps, load_mbpp
from ..data.problems import parse_difficulties
from ..mini import make_mini_apps
from .arguments import RLTFScriptArguments
from .benchmark_arguments import named_columns
from .own_data import APPS, MBPP, MINI_APPS, load_own_problems
from .tables import console


def load_problems(script_args: RLTFScriptArguments) -> tuple[Dataset, Dataset]:
    """
    Load training and held-out problems.

    Args:
        script_args ([`RLTFScriptArguments`]): Benchmark, dataset, splits, difficulties, style of the prompts and number of
            held-out problems.

    Returns:
        `tuple[Dataset, Dataset]`: Training and held-out problems, with the columns of `load_apps`. If the dataset has no split
        of held-out problems, they are a fifth of the training problems. With `no_eval`, there are none.
    """
    train_set, test_set = _load(script_args)
    if script_args.no_eval:
        test_set = train_set.select([])
    elif test_set is None:
        console.print(
            f"{script_args.dataset_name} has no split {script_args.dataset_test_split!r}: a fifth of the training set is held out.",
            soft_wrap=True,
            highlight=False,
        )
        parts = train_set.train_test_split(test_size=0.2, seed=0)
        train_set, test_set = parts["train"], parts["test"]
    limit, number = script_args.eval_problems, len(test_set)
    if 0 < limit < number:  # not the first ones: APPS has its problems in the order of their difficulty
        test_set = test_set.select([index * number // limit for index in range(limit)])
    if script_args.prompt_style == "chat":
        train_set, test_set = (
            Dataset.from_list(list(map(_as_chat, part))) if len(part) else part for part in (train_set, test_set)
        )
    return train_set, test_set


def uses_mini_apps(script_args: RLTFScriptArguments) -> bool:
    """Whether the problems are those of MiniAPPS."""
    return script_args.benchmark == "apps" and script_args.dataset_name in (None, MINI_APPS)


def check_problems_are_named(script_args: RLTFScriptArguments, model_name: str | None) -> None:
    """
    Refuse a model without problems, and problems without a model.

    Args:
        script_args ([`RLTFScriptArguments`]): Benchmark and dataset.
        model_name (`str` or `None`): Name or folder of the model.

    Raises:
        ValueError: If one of the two is missing.
    """
    if model_name is None and not uses_mini_apps(script_args):
        raise ValueError(
            "There are problems, but no `model_name_or_path`. The tiny model of the demo learns MiniAPPS only."
        )
    if model_name is not None and script_args.benchmark == "apps" and script_args.dataset_name is None:
        raise ValueError(
            f"`model_name_or_path` is {model_name!r}, but there is no `dataset_name` that says what to train on. Give "
            f"`--dataset_name`: a file (.jsonl, .parquet) or folder with the columns `prompt` and `tests`, {APPS}, another dataset of "
            f"the Hub, or {MINI_APPS} for the problems of the demo."
        )


def _load(script_args: RLTFScriptArguments) -> tuple[Dataset, Dataset | None]:
    """Load the training problems, and the held-out ones if there is a split of them."""
    levels = script_args.difficulties
    if uses_mini_apps(script_args):
        return _load_mini_apps("train", levels), _load_mini_apps("test", levels)
    name, splits = script_args.dataset_name, (script_args.dataset_train_split, script_args.dataset_test_split)
    if script_args.benchmark == "mbpp":
        train_set, test_set = (load_mbpp(name or MBPP, split) for split in splits)
        return train_set, test_set
    assert name is not None
    if script_args.benchmark == "columns":
        columns = Columns(**named_columns(script_args))
        return load_own_problems(name, columns, *splits, subset=script_args.dataset_config, difficulties=levels)
    train_set = load_apps(name, splits[0], difficulties=levels)
    try:
        return train_set, load_apps(name, splits[1], difficulties=levels)
    except FileNotFoundError:
        return train_set, None


def _load_mini_apps(split: str, levels: list[str] | None) -> Dataset:
    problems = make_mini_apps(split)
    if levels is None:
        return problems
    kept = parse_difficulties(levels)
    return problems.filter(lambda row: row["difficulty"] in kept)


def _as_chat(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "prompt": [{"role": "user", "content": row["prompt"]}]}
