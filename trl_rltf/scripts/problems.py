"""Load the problems of a script: APPS, MBPP, or the embedded MiniAPPS."""

from __future__ import annotations

from typing import Any

from datasets import Dataset

from ..data import load_apps, load_mbpp
from ..data.problems import parse_difficulties
from ..mini import make_mini_apps
from .arguments import RLTFScriptArguments
from .tables import console


APPS = "codeparrot/apps"
MBPP = "google-research-datasets/mbpp"


def load_problems(script_args: RLTFScriptArguments) -> tuple[Dataset, Dataset]:
    """
    Load training and held-out problems.

    Args:
        script_args ([`RLTFScriptArguments`]): Benchmark, dataset, splits, difficulties, style of the prompts and number of
            held-out problems.

    Returns:
        `tuple[Dataset, Dataset]`: Training and held-out problems, with the columns of `load_apps`. If the dataset has no split
        of held-out problems, they are a fifth of the training problems.
    """
    if uses_mini_apps(script_args):
        train_set, test_set = (_load_mini_apps(split, script_args.difficulties) for split in ("train", "test"))
    elif script_args.benchmark == "mbpp":
        name = script_args.dataset_name or MBPP
        splits = (script_args.dataset_train_split, script_args.dataset_test_split)
        train_set, test_set = (load_mbpp(name, split) for split in splits)
    else:
        train_set, test_set = _load_apps(script_args)
    if script_args.eval_problems is not None:
        test_set = test_set.select(range(min(script_args.eval_problems, len(test_set))))
    if script_args.prompt_style == "chat":
        train_set, test_set = (Dataset.from_list(list(map(_as_chat, part))) for part in (train_set, test_set))
    return train_set, test_set


def uses_mini_apps(script_args: RLTFScriptArguments) -> bool:
    """Whether the problems are those of MiniAPPS."""
    return script_args.benchmark == "apps" and script_args.dataset_name is None


def _load_mini_apps(split: str, levels: list[str] | None) -> Dataset:
    problems = make_mini_apps(split)
    if levels is None:
        return problems
    kept = parse_difficulties(levels)
    return problems.filter(lambda row: row["difficulty"] in kept)


def _load_apps(script_args: RLTFScriptArguments) -> tuple[Dataset, Dataset]:
    name, levels = script_args.dataset_name, script_args.difficulties
    train_set = load_apps(name, script_args.dataset_train_split, difficulties=levels)
    try:
        return train_set, load_apps(name, script_args.dataset_test_split, difficulties=levels)
    except FileNotFoundError:
        console.print(
            f"{name} has no split {script_args.dataset_test_split!r}: a fifth of the training set is held out."
        )
        parts = train_set.train_test_split(test_size=0.2, seed=0)
        return parts["train"], parts["test"]


def _as_chat(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "prompt": [{"role": "user", "content": row["prompt"]}]}
