"""Load problems for a training from files, folders and datasets of any columns."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from datasets import Dataset

from ..data import Columns, load_benchmark
from ..data.sources import is_saved_dataset


APPS = "codeparrot/apps"
MBPP = "google-research-datasets/mbpp"
MINI_APPS = "mini_apps"


def layout_of(dataset_name: str | None) -> Literal["apps", "mbpp", "columns"]:
    """
    Choose the layout of a dataset by its name.

    Args:
        dataset_name (`str` or `None`): A file, a folder, an id of the Hub, or `mini_apps`.

    Returns:
        `str`: `"columns"`, unless it is known, or a folder in the layout of APPS, which has a folder per problem.
    """
    if dataset_name in (None, APPS, MINI_APPS):
        return "apps"
    if dataset_name == MBPP:
        return "mbpp"
    folder = Path(str(dataset_name)).expanduser()
    is_apps = folder.is_dir() and not is_saved_dataset(folder) and any(folder.glob("*/*/question.txt"))
    return "apps" if is_apps else "columns"


def load_own_problems(
    name: str,
    columns: Columns,
    train_split: str,
    test_split: str,
    *,
    subset: str | None = None,
    difficulties: list[str] | None = None,
) -> tuple[Dataset, Dataset | None]:
    """
    Load problems of any columns.

    Args:
        name (`str`): A file, a folder or the id of a dataset on the Hub.
        columns ([`~data.Columns`]): Names of the columns.
        train_split (`str`): Split to train on.
        test_split (`str`): Split of the held-out problems.
        subset (`str`, *optional*): Configuration of the dataset.
        difficulties (`list[str]`, *optional*): Difficulties to keep. Defaults to all.

    Returns:
        `tuple[Dataset, Dataset | None]`: Training and held-out problems. The latter are `None` if there is no such split; a file
        has only one.

    Raises:
        FileNotFoundError: If there is no such file, folder or dataset.
        ValueError: If a row is malformed. The message names it, and the columns that it has.
    """

    def load(split: str) -> Dataset:
        return load_benchmark("columns", name, split, subset=subset, columns=columns, difficulties=difficulties)

    train_set = load(train_split)
    path = Path(name).expanduser()
    if (
        path.is_file() or (path / "state.json").is_file()
    ):  # a file, or one dataset of `save_to_disk`, whose split does not matter
        return train_set, None
    try:
        return train_set, load(test_split)
    except FileNotFoundError:
        return train_set, None
