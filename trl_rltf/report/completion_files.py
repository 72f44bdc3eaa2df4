"""Read the completions that a training or an evaluation has written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

from ..completions.program import completion_text, prompt_text
from .notes import Notes


RECORDS = "_report_completions/step-*.jsonl"
TRL_TABLES = "completions/completions_*.parquet"
SAMPLES = "samples.jsonl"
SHARDS = "shards/[0-9]*.jsonl"
PROBLEM_TEXTS = "problem_texts.json"
_FAILURE_PART = re.compile(r"^(input|expected|got): (.*)$")
# Columns of TRL's table that are not the reward of a function.
_NO_REWARDS = frozenset(
    "step prompt completion outcome tests_passed audit_tests_passed error_type error_line first_failure trailing_error "
    "rltf_advantage marked_completion advantage".split()
)


@dataclass(frozen=True, slots=True)
class LoggedCompletion:
    """
    A completion that a run has written.

    Args:
        text (`str`): The completion.
        problem (`str`, *optional*, defaults to `""`): Identifier of its problem.
        difficulty (`str`, *optional*, defaults to `""`): Difficulty of the problem.
        prompt (`str`, *optional*, defaults to `""`): The prompt.
        starter_code (`str`, *optional*, defaults to `""`): Code of the prompt that the completion continues.
        step (`int`, *optional*): Optimizer steps before it was sampled; `None` in an evaluation.
        reward (`float`, *optional*): Its reward R_seq.
        advantage (`float`, *optional*): Mean advantage over its tokens.
        outcome (`str`, *optional*, defaults to `""`): Outcome of its program.
        num_passed (`int`, *optional*): Tests that the program passed.
        num_tests (`int`, *optional*): Tests of the program.
        error_type (`str`, *optional*, defaults to `""`): Class of its error.
        error_message (`str`, *optional*, defaults to `""`): Message of its error.
        error_line (`int`, *optional*): First line of the failing statement in the program, counted from 1.
        trailing_error (`str`, *optional*, defaults to `""`): Class of an error in code that the tests do not use.
        failure (`Mapping[str, str]`, *optional*): `input`, `expected` and `got` of the first test that it did not pass.
        credits (`Sequence`, *optional*): First character, end and r_t - R_seq of each range of tokens with such a credit.
        length (`int`, *optional*): Characters of the completion, if the text was cut; otherwise `None`.
        prompt_length (`int`, *optional*): Characters of the prompt, if it was cut; otherwise `None`.
    """

    text: str
    _: KW_ONLY
    problem: str = ""
    difficulty: str = ""
    prompt: str = ""
    starter_code: str = ""
    step: int | None = None
    reward: float | None = None
    advantage: float | None = None
    outcome: str = ""
    num_passed: int | None = None
    num_tests: int | None = None
    error_type: str = ""
    error_message: str = ""
    error_line: int | None = None
    trailing_error: str = ""
    failure: Mapping[str, str] | None = None
    credits: Sequence[tuple[int, int, float]] = ()
    length: int | None = None
    prompt_length: int | None = None


def read_completions(folder: Path, max_completions: int, notes: Notes) -> list[LoggedCompletion]:
    """
    Read the completions of a run.

    These are the records of [`RLTFTrainer`], otherwise the completions tables of TRL (`log_completions=True`), otherwise the samples of an
    evaluation.

    Args:
        folder (`Path`): Folder of the run.
        max_completions (`int`): Maximum number of completions. If there are more, they are taken at equal distances.
        notes ([`Notes`]): Takes what the reader of the report has to know.

    Returns:
        `list[LoggedCompletion]`: The completions, in the order of the files.
    """
    records, tables = sorted(folder.glob(RECORDS)), sorted(folder.glob(TRL_TABLES))
    samples = [folder / SAMPLES] if (folder / SAMPLES).is_file() else sorted(folder.glob(SHARDS))
    if records:
        return _from_lines(records, _from_record, max_completions, notes)
    if tables:
        return _from_tables(tables, max_completions, notes)
    if samples:
        texts = _problem_texts(folder / PROBLEM_TEXTS, notes)
        return _from_lines(samples, lambda row: _from_sample(row, texts), max_completions, notes)
    return []


def parse_failure(text: str | None) -> dict[str, str] | None:
    """
    Split the text of a first failing test into its parts.

    Args:
        text (`str` or `None`): Lines that begin with `input: `, `expected: ` and `got: `, see [`~execution.FirstFailure`].

    Returns:
        `dict[str, str]` or `None`: The parts that are there; `None` without text.
    """
    if not text:
        return None
    found = map(_FAILURE_PART.match, text.split("\n"))
    return {match[1]: match[2] for match in found if match} or {"got": text}


def marked_ranges(text: str, marked: str) -> list[tuple[int, int, float]]:
    """
    Find the marked ranges of a completion in TRL's table.

    Args:
        text (`str`): The completion.
        marked (`str`): The same with marked tokens in ⟦brackets⟧, and special tokens at its end.

    Returns:
        `list`: First character and end of each range, with -1 for a penalty of an unknown size; empty if the texts differ.
    """
    plain, ranges, begin = "", [], 0
    for part in re.split("([⟦⟧])", marked):
        if part == "⟦":
            begin = len(plain)
        elif part == "⟧":
            ranges.append((begin, len(plain), -1.0))
        else:
            plain += part
    if not plain.startswith(text):
        return []
    return [(first, min(end, len(text)), value) for first, end, value in ranges if first < len(text)]


def _from_lines(
    paths: Sequence[Path], convert: Callable[[Any], LoggedCompletion], maximum: int, notes: Notes
) -> list[LoggedCompletion]:
    total = sum(1 for _ in _lines(paths))
    is_chosen = _chosen(total, maximum, notes)
    completions, num_damaged = [], 0
    for index, line in enumerate(_lines(paths)):
        if not is_chosen(index):
            continue
        try:
            completions.append(convert(json.loads(line)))
        except (AttributeError, KeyError, TypeError, ValueError):
            num_damaged += 1  # for example, the last line of a run that was killed
    if num_damaged:
        notes.add(f"{num_damaged} of the completions could not be read and are left out.")
    return completions


def _lines(paths: Sequence[Path]) -> Iterator[str]:
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as file:
            yield from file


def _chosen(total: int, maximum: int, notes: Notes) -> Callable[[int], bool]:
    """Return a function that tells which of all completions are taken."""
    if total <= maximum:
        return lambda index: True
    notes.add(f"{maximum:,} of {total:,} completions are shown, at equal distances.")
    return lambda index: (index + 1) * maximum // total > index * maximum // total


def _from_record(row: Mapping[str, Any]) -> LoggedCompletion:
    if row["version"] != 1:
        raise ValueError("The record was written by a newer version.")
    passed, tests = _passed(row.get("tests_passed"))
    text, prompt = str(row["completion"]), str(row["prompt"])
    return LoggedCompletion(
        text,
        problem=row["problem"] or "",
        difficulty=row["difficulty"],
        prompt=prompt,
        step=int(row["step"]),
        reward=row["reward"],
        advantage=row["advantage"],
        outcome=row.get("outcome") or "",
        num_passed=passed,
        num_tests=tests,
        error_type=row.get("error_type") or "",
        error_line=row.get("error_line"),
        trailing_error=row.get("trailing_error") or "",
        failure=parse_failure(row.get("first_failure")),
        credits=[(int(begin), int(end), float(value)) for begin, end, value in row["credits"]],
        length=_length_if_cut(text, row["completion_length"]),
        prompt_length=_length_if_cut(prompt, row["prompt_length"]),
    )


def _from_sample(row: Mapping[str, Any], problems: Mapping[str, Mapping[str, str]]) -> LoggedCompletion:
    problem = problems.get(row["problem_id"], {})
    return LoggedCompletion(
        str(row["completion"]),
        problem=str(row["problem_id"]),
        difficulty=row.get("difficulty") or "",
        prompt=problem.get("prompt") or "",
        starter_code=problem.get("starter_code") or "",
        outcome=row["outcome"],
        num_passed=row.get("num_passed"),
        num_tests=row.get("num_tests"),
        error_type=row.get("error_type") or "",
        error_message=row.get("error_message") or "",
        error_line=row.get("error_line"),
        trailing_error=row.get("trailing_error_type") or "",
        failure=parse_failure(row.get("first_failure")),
    )


def _from_tables(paths: Sequence[Path], maximum: int, notes: Notes) -> list[LoggedCompletion]:
    from pyarrow import parquet

    totals = [parquet.read_metadata(path).num_rows for path in paths]
    is_chosen = _chosen(sum(totals), maximum, notes)
    completions, first = [], 0
    for path, total in zip(paths, totals, strict=True):
        chosen = [index for index in range(total) if is_chosen(first + index)]
        first += total
        if chosen:
            table = parquet.read_table(path).take(chosen)
            completions += [_from_table_row(row) for row in table.to_pylist()]
    return completions


def _from_table_row(row: Mapping[str, Any]) -> LoggedCompletion:
    passed, tests = _passed(row.get("tests_passed"))
    text = completion_text(row["completion"])
    rewards = [value for name, value in row.items() if name not in _NO_REWARDS and isinstance(value, float)]
    rewards = [value for value in rewards if value == value]  # NaN: the function has left the completion out
    line, advantage = row.get("error_line"), row.get("rltf_advantage", row.get("advantage"))
    return LoggedCompletion(
        text,
        prompt=prompt_text(row["prompt"]),
        step=int(row["step"]),
        reward=sum(rewards) if rewards else None,
        advantage=advantage if advantage == advantage else None,
        outcome=row.get("outcome") or "",
        num_passed=passed,
        num_tests=tests,
        error_type=row.get("error_type") or "",
        error_line=int(line) if line is not None and line == line else None,
        trailing_error=row.get("trailing_error") or "",
        failure=parse_failure(row.get("first_failure")),
        credits=marked_ranges(text, row.get("marked_completion") or ""),
    )


def _problem_texts(path: Path, notes: Notes) -> dict[str, dict[str, str]]:
    try:
        texts = json.loads(path.read_text(encoding="utf-8"))
        problems: dict[str, dict[str, str]] = texts["problems"] if texts["version"] == 1 else {}
    except (OSError, KeyError, TypeError, ValueError):
        notes.add(f"There are no prompts: the folder has no readable `{PROBLEM_TEXTS}`.")
        return {}
    return problems


def _passed(text: str | None) -> tuple[int | None, int | None]:
    match = re.fullmatch(r"(\d+)/(\d+)", text or "")
    return (int(match[1]), int(match[2])) if match else (None, None)


def _length_if_cut(text: str, length: int) -> int | None:
    return length if length > len(text) else None
