"""Load MBPP (Austin et al. 2021) from a local file or from the Hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from datasets import Dataset, load_dataset

from .problems import make_problem, to_dataset
from .prompts import mbpp_prompt


# Task ids of the splits, both ends included (section 2.1 of the MBPP paper).
SPLITS = {"prompt": (1, 10), "test": (11, 510), "validation": (511, 600), "train": (601, 974), "all": (1, 974)}


def load_mbpp(path: str | Path = "google-research-datasets/mbpp", split: str = "train", name: str = "full") -> Dataset:
    """
    Load MBPP problems.

    Args:
        path (`str` or `Path`, *optional*, defaults to `"google-research-datasets/mbpp"`): A local `mbpp.jsonl` or
            `sanitized-mbpp.json`, or the id of a Hub dataset with the same columns.
        split (`str`, *optional*, defaults to `"train"`): `"train"`, `"validation"`, `"test"`, `"prompt"` or `"all"`, by
            task id.
        name (`str`, *optional*, defaults to `"full"`): Configuration of the Hub dataset: `"full"` or `"sanitized"`.

    Returns:
        [`~datasets.Dataset`]: Columns `prompt`, `tests`, `solutions`, `problem_id`, `difficulty` (empty) and
        `starter_code` (empty).

    Raises:
        FileNotFoundError: If a local file is not there.
        ValueError: If the file is malformed, or the split unknown. The message names the file and the line.
    """
    if split not in SPLITS:
        raise ValueError(f"`split` is {split!r}, but must be one of {', '.join(SPLITS)}.")
    file = Path(path).expanduser()
    if file.is_file():
        rows = _read_file(file)
    elif file.is_dir():
        raise FileNotFoundError(
            f"{str(file)!r} is a folder. Give the file in it, `mbpp.jsonl` or `sanitized-mbpp.json`."
        )
    elif file.suffix in (".json", ".jsonl") or str(path).startswith((".", "/", "~")) or str(path).count("/") != 1:
        raise FileNotFoundError(
            f"there is no file {str(file)!r}. Give an `mbpp.jsonl` or `sanitized-mbpp.json`, or the id of a Hub dataset."
        )
    else:
        try:
            parts = load_dataset(str(path), name)
        except (ConnectionError, FileNotFoundError) as error:
            raise FileNotFoundError(
                f"{str(path)!r} is neither a file here nor a dataset that could be read from the Hub ({error}). Check the path, "
                "or the connection."
            ) from error
        rows = [(f"{path}, split {part!r}, row {i}", row) for part in parts for i, row in enumerate(parts[part])]
    first, last = SPLITS[split]
    problems = [_to_row(row, where) for where, row in rows if first <= _task_id(row, where) <= last]
    if not problems:
        raise ValueError(f"{path}: no problem has a task id from {first} to {last} (split {split!r}).")
    return to_dataset(problems)


def _read_file(file: Path) -> list[tuple[str, dict[str, Any]]]:
    text = file.read_text(encoding="utf-8")
    try:
        if text.lstrip().startswith("["):
            return [(f"{file}, item {i}", row) for i, row in enumerate(json.loads(text))]
    except ValueError as error:
        raise ValueError(f"{file}: not valid JSON ({error}).") from error
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append((f"{file}, line {number}", json.loads(line)))
        except ValueError as error:
            raise ValueError(f"{file}, line {number}: not valid JSON ({error}).") from error
    return rows


def _task_id(row: Any, where: str) -> int:
    if not isinstance(row, dict) or not isinstance(row.get("task_id"), int):
        raise ValueError(f"{where}: a problem needs a whole number `task_id`. Is this an MBPP file?")
    return int(row["task_id"])


def _to_row(row: dict[str, Any], where: str) -> dict[str, Any]:
    statement = row.get("text", row.get("prompt"))
    missing = [key for key in ("test_list", "code") if key not in row] + (["text"] if statement is None else [])
    if missing:
        raise ValueError(
            f"{where}: the columns {missing} are missing. MBPP has `text` (or `prompt`), `code`, `test_list`."
        )
    setup = "\n".join(filter(None, [*row.get("test_imports", []), row.get("test_setup_code", "")]))
    return make_problem(
        prompt=mbpp_prompt(str(statement), row["test_list"]),
        tests={"asserts": list(row["test_list"]), "setup": setup},
        problem_id=str(row["task_id"]),
        where=where,
        solutions=[row["code"]],
    )
