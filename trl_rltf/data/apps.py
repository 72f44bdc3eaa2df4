"""Load APPS (Hendrycks et al. 2021) from a folder in its layout, or from the Hub."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from datasets import Dataset, load_dataset

from .problems import check_solutions, is_missing, make_problem, parse_difficulties, parse_json, read_text, to_dataset
from .prompts import apps_prompt
from .rows import BadRow, LeftOut, Row


logger = logging.getLogger(__name__)
_OWN_PROBLEMS = (
    "A dataset with the columns `prompt` and `tests` needs no loader: pass it to `RLTFTrainer`, or to "
    "`trl grpo --reward_funcs trl_rltf.rewards.unit_test_reward`."
)


def load_apps(
    path: str | Path = "codeparrot/apps",
    split: str = "train",
    *,
    difficulties: Sequence[str] | None = None,
) -> Dataset:
    """
    Load APPS problems.

    Problems without tests cannot be graded. They are left out, with a warning.

    Args:
        path (`str` or `Path`, *optional*, defaults to `"codeparrot/apps"`): A local folder that holds `train/NNNN/` and
            `test/NNNN/` (`question.txt`, `input_output.json`, `solutions.json`, `metadata.json`, `starter_code.py`), or
            the id of a Hub dataset with the columns of `codeparrot/apps`.
        split (`str`, *optional*, defaults to `"train"`): `"train"` or `"test"`.
        difficulties (`Sequence[str]`, *optional*): Levels to keep, out of `"introductory"`, `"interview"` and
            `"competition"`. Defaults to all.

    Returns:
        [`~datasets.Dataset`]: Columns `prompt`, `tests`, `solutions`, `problem_id`, `difficulty`, `starter_code`.

    Raises:
        FileNotFoundError: If the folder or its split does not exist.
        ValueError: If a file is malformed, tests are empty, or a difficulty is unknown. The message names the file.
    """
    wanted = None if difficulties is None else parse_difficulties(difficulties)
    problems = []
    without_tests = []
    for problem in read_apps(path, split, difficulties=wanted):
        if isinstance(problem, BadRow):
            raise ValueError(str(problem))
        if isinstance(problem, LeftOut):
            without_tests.append(problem.where)
        else:
            problems.append(problem)
    if without_tests:
        logger.warning(
            "%d problems have no tests and are left out: %s", len(without_tests), ", ".join(without_tests[:20])
        )
    if not problems:
        levels = "" if wanted is None else f" and a difficulty among {', '.join(wanted)}"
        raise ValueError(f"{path}: no problem of split {split!r} has tests{levels}.")
    return to_dataset(problems)


def read_apps(
    path: str | Path, split: str, *, difficulties: Sequence[str] | None = None
) -> Iterator[dict[str, Any] | BadRow | LeftOut]:
    """
    Read APPS problems, one after the other.

    Args:
        path (`str` or `Path`): See [`load_apps`].
        split (`str`): See [`load_apps`].
        difficulties (`Sequence[str]`, *optional*): Levels to keep. Defaults to all.

    Yields:
        `dict[str, Any]`: The next row with the columns of `FEATURES`, or an error that describes a malformed problem or one
        without tests.

    Raises:
        FileNotFoundError: If the folder or its split does not exist.
    """
    root = Path(path).expanduser()
    if root.is_dir():
        found = _read_folder(root, split)
    elif _looks_like_a_path(str(path)):
        raise FileNotFoundError(
            f"there is no folder {str(root)!r}. Give the folder that holds `train/` and `test/`, or the id of a Hub "
            f"dataset such as `codeparrot/apps`. {_OWN_PROBLEMS}"
        )
    else:
        found = _read_hub(str(path), split)
    for read in found:
        row: dict[str, Any] | BadRow | LeftOut
        try:
            problem = read()
            if difficulties is not None and problem["difficulty"] not in difficulties:
                continue
            without_tests = problem["input_output"] is None
            row = LeftOut(Row(problem["problem_id"], {}), "without tests") if without_tests else _to_row(problem)
        except ValueError as error:
            row = BadRow("", str(error))
        yield row


def _looks_like_a_path(path: str) -> bool:
    return path.startswith((".", "/", "~")) or path.count("/") != 1


def _to_row(problem: dict[str, Any]) -> dict[str, Any]:
    tests = problem["input_output"]
    call_based = isinstance(tests, dict) and tests.get("fn_name") is not None
    return make_problem(
        prompt=apps_prompt(problem["question"], starter_code=problem["starter_code"], call_based=call_based),
        tests=tests,
        problem_id=problem["problem_id"],
        where=problem["where"],
        solutions=problem["solutions"],
        difficulty=problem["difficulty"],
        starter_code=problem["starter_code"],
    )


def _read_folder(root: Path, split: str) -> Iterator[Callable[[], dict[str, Any]]]:
    folder = root / split
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{str(root)!r} has no folder {split!r}. APPS has its problems in `{split}/NNNN/`. {_OWN_PROBLEMS}"
        )
    problems = sorted(path for path in folder.iterdir() if path.is_dir())
    if not problems:
        raise FileNotFoundError(f"{str(folder)!r} has no problems. APPS has its problems in `{split}/NNNN/`.")
    yield from (partial(_read_problem, problem) for problem in problems)


def _read_problem(problem: Path) -> dict[str, Any]:
    question = problem / "question.txt"
    if not question.is_file():
        raise ValueError(f"{problem}: `question.txt` is missing. Restore it, or remove the folder.")
    tests = problem / "input_output.json"
    solutions = problem / "solutions.json"
    metadata = problem / "metadata.json"
    starter = problem / "starter_code.py"
    return {
        "where": str(tests),
        "problem_id": problem.name,
        "question": read_text(question),
        "input_output": _read_json(tests) if tests.is_file() else None,
        "solutions": check_solutions((_read_json(solutions) if solutions.is_file() else None) or [], str(solutions)),
        "difficulty": _difficulty(metadata) if metadata.is_file() else "",
        "starter_code": read_text(starter) if starter.is_file() else "",
    }


def _difficulty(path: Path) -> str:
    metadata = _read_json(path)
    if not isinstance(metadata, dict):
        raise ValueError(f"{path}: must be a JSON object with a `difficulty`. Restore the file from the APPS archive.")
    difficulty = metadata.get("difficulty")
    return "" if is_missing(difficulty) else str(difficulty)


def _read_json(path: Path) -> Any:
    return parse_json(read_text(path), str(path))


def _read_hub(name: str, split: str) -> Iterator[Callable[[], dict[str, Any]]]:
    for index, raw in enumerate(_load_hub(name, split)):
        yield partial(_read_row, raw, f"{name}, split {split!r}, row {index}")


def _read_row(raw: dict[str, Any], where: str) -> dict[str, Any]:
    row = {key: value for key, value in raw.items() if not is_missing(value)}
    number = str(row.get("problem_id", row.get("id")))
    if not number.isdecimal():
        raise ValueError(f"{where}: the `problem_id` is {number}, but must be a whole number.")
    if not isinstance(row.get("question"), str):
        raise ValueError(f"{where}: there is no text in `question`. Remove the row.")
    return {
        "where": f"{where}, column `input_output`",
        "problem_id": f"{int(number):04d}",
        "question": row["question"],
        "input_output": _column(row, "input_output", where),
        "solutions": check_solutions(_column(row, "solutions", where) or [], f"{where}, column `solutions`"),
        "difficulty": row.get("difficulty", ""),
        "starter_code": row.get("starter_code", ""),
    }


def _column(row: dict[str, Any], name: str, where: str) -> Any:
    content = row.get(name) or None
    return parse_json(content, f"{where}, column `{name}`") if isinstance(content, str) else content


def _load_hub(name: str, split: str) -> Dataset:
    try:
        try:
            return load_dataset(name, split=split)
        except RuntimeError as error:
            if "script" not in str(error):
                raise
            # `codeparrot/apps` comes with a loading script, which datasets refuses since 4.0, and with its files.
            return load_dataset("json", data_files={split: f"hf://datasets/{name}/{split}.jsonl"}, split=split)
    except (ConnectionError, FileNotFoundError) as error:
        raise FileNotFoundError(
            f"{name!r} is neither a folder here nor a dataset that could be read from the Hub ({error}). Check the path, or the "
            "connection."
        ) from error
