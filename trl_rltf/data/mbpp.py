"""Load MBPP (Austin et al. 2021) from a local file or from the Hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset, load_dataset

from .problems import is_missing, make_problem, parse_json, read_text, to_dataset
from .prompts import mbpp_prompt
from .rows import BadRow


# First and last task id of each split (section 2.1 of the MBPP paper).
_SPLITS = {"prompt": (1, 10), "test": (11, 510), "validation": (511, 600), "train": (601, 974), "all": (1, 974)}


def load_mbpp(
    path: str | Path = "google-research-datasets/mbpp",
    split: str = "train",
    *,
    name: str = "full",
) -> Dataset:
    """
    Load MBPP problems.

    A problem whose `code` is null has no solution. Any other optional field that is null counts as empty.

    Args:
        path (`str` or `Path`, *optional*, defaults to `"google-research-datasets/mbpp"`): A local `mbpp.jsonl` or
            `sanitized-mbpp.json`, or the id of a Hub dataset with the same columns.
        split (`str`, *optional*, defaults to `"train"`): `"train"`, `"validation"`, `"test"`, `"prompt"` or `"all"`;
            a split is a range of task ids.
        name (`str`, *optional*, defaults to `"full"`): Configuration of the Hub dataset: `"full"` or `"sanitized"`.

    Returns:
        [`~datasets.Dataset`]: Columns `prompt`, `tests`, `solutions`, `problem_id`, `difficulty` (empty) and
        `starter_code` (empty).

    Raises:
        FileNotFoundError: If a local file does not exist.
        ValueError: If the file is malformed, or the split is unknown. The message names the file and the line.
    """
    problems = []
    for problem in read_mbpp(path, split, name):
        if isinstance(problem, BadRow):
            raise ValueError(str(problem))
        problems.append(problem)
    if not problems:
        first, last = _SPLITS[split]
        raise ValueError(f"{path}: no problem has a task id from {first} to {last} (split {split!r}).")
    return to_dataset(problems)


def read_mbpp(path: str | Path, split: str, name: str | None = None) -> Iterator[dict[str, Any] | BadRow]:
    """
    Read MBPP problems, one after the other.

    Args:
        path (`str` or `Path`): See [`load_mbpp`].
        split (`str`): See [`load_mbpp`].
        name (`str`, *optional*): Configuration of the Hub dataset. Defaults to `"full"`.

    Yields:
        `dict[str, Any]`: The next row with the columns of `FEATURES`, or an error that describes a malformed row.

    Raises:
        FileNotFoundError: If a local file does not exist.
        ValueError: If the file is not readable, or the split is unknown.
    """
    if split not in _SPLITS:
        raise ValueError(f"`split` is {split!r}, but must be one of {', '.join(_SPLITS)}.")
    first, last = _SPLITS[split]
    for where, content in _find_rows(path, name or "full"):
        row: dict[str, Any] | BadRow
        try:
            content = parse_json(content, where) if isinstance(content, str) else content
            if not first <= _task_id(content, where) <= last:
                continue
            row = _to_row(content, where)
        except ValueError as error:
            row = BadRow("", str(error))
        yield row


def _find_rows(path: str | Path, name: str) -> Iterator[tuple[str, Any]]:
    """Where each row is, and the row or its JSON text."""
    file = Path(path).expanduser()
    if file.is_file():
        return _read_file(file)
    if file.is_dir():
        raise FileNotFoundError(
            f"{str(file)!r} is a folder. Give the file in it, `mbpp.jsonl` or `sanitized-mbpp.json`."
        )
    if file.suffix in (".json", ".jsonl") or str(path).startswith((".", "/", "~")) or str(path).count("/") != 1:
        raise FileNotFoundError(
            f"there is no file {str(file)!r}. Give an `mbpp.jsonl` or `sanitized-mbpp.json`, or the id of a Hub dataset."
        )
    try:
        parts = load_dataset(str(path), name)
    except (ConnectionError, FileNotFoundError) as error:
        raise FileNotFoundError(
            f"{str(path)!r} is neither a file here nor a dataset that could be read from the Hub ({error}). Check the path, "
            "or the connection."
        ) from error
    return ((f"{path}, split {part!r}, row {i}", row) for part in parts for i, row in enumerate(parts[part]))


def _read_file(file: Path) -> Iterator[tuple[str, Any]]:
    text = read_text(file)
    if text.lstrip().startswith("["):
        return ((f"{file}, item {i}", row) for i, row in enumerate(parse_json(text, str(file))))
    lines = ((f"{file}, line {number}", line) for number, line in enumerate(text.split("\n"), start=1))
    return ((where, line) for where, line in lines if line.strip())


def _task_id(row: Any, where: str) -> int:
    task_id = row.get("task_id") if isinstance(row, dict) else None
    if isinstance(task_id, bool) or not isinstance(task_id, (int, float)) or task_id != task_id // 1:
        raise ValueError(f"{where}: a problem needs a whole number `task_id`. Is this an MBPP file?")
    return int(task_id)


def _to_row(row: dict[str, Any], where: str) -> dict[str, Any]:
    given = {key: value for key, value in row.items() if not is_missing(value)}
    statement = given.get("text", given.get("prompt"))
    missing = [
        *(["text"] if not isinstance(statement, str) else []),
        *(["code"] if "code" not in row else []),
        *(["test_list"] if "test_list" not in given else []),
    ]
    if missing:
        raise ValueError(
            f"{where}: the columns {missing} are missing. MBPP has `text` (or `prompt`), `code`, `test_list`."
        )
    assert isinstance(statement, str)
    tests = _texts(given, "test_list", where)
    setup = [*_texts(given, "test_imports", where), *_texts(given, "test_setup_code", where)]
    return make_problem(
        prompt=mbpp_prompt(statement, tests),
        tests={"asserts": tests, "setup": "\n".join(filter(None, setup))},
        problem_id=str(_task_id(row, where)),
        where=where,
        solutions=_texts(given, "code", where),
    )


def _texts(row: dict[str, Any], name: str, where: str) -> list[str]:
    """The texts in a column that has a list of texts, one text or nothing."""
    content = row.get(name, [])
    texts = [content] if isinstance(content, str) else content
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{where}: `{name}` must be a text, or a list of texts.")
    return texts
