"""Reward completions as open-r1 does, with the column `verification_info`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..execution import Outcome, Program
from ..execution.limits import LIMIT_COLUMNS
from .grading import find_program, grade
from .problem_tests import read_limits, read_tests


def code_reward(
    completions: Sequence[Any],
    num_parallel: int | None = None,
    provider_type: str | None = None,
    enforce_same_language: bool = False,
    **columns: Any,
) -> list[float | None]:
    """
    Reward completions with the share of tests passed.

    It takes the arguments of `open_r1.rewards.code_reward` and grades on this machine, in place of E2B, Morph or Piston. It is
    also a reward function of TRL.

    Args:
        completions (`Sequence`): Completions, as chat messages or as text.
        num_parallel (`int`, *optional*): Number of programs that run at the same time; see [`configure`].
        provider_type (`str`, *optional*): Not used.
        enforce_same_language (`bool`, *optional*, defaults to `False`): Not used: a language other than Python is an error.
        **columns: Other columns of the dataset. `verification_info` has `language` and `test_cases`, a list of
            `{"input": ..., "output": ..., "type": "stdin_stdout"}`. The columns `time_limit` (seconds per test) and `memory_limit`
            (bytes) replace the limits of the runner where they are not `None`.

    Returns:
        `list[float | None]`: Share of tests passed, from 0 to 1; `None` if the sandbox failed, so that TRL leaves the completion
        out.

    Raises:
        ValueError: If there is no column `verification_info`, or an entry of it or of the limits is malformed. The message names the row.
    """
    if columns.get("verification_info") is None:
        raise ValueError(
            "The dataset has no column `verification_info`. Unit tests go there as `language` and `test_cases`, as in "
            "`open-r1/verifiable-coding-problems-python`."
        )
    given = {key: columns[key] for key in ("verification_info", *LIMIT_COLUMNS) if columns.get(key) is not None}
    for key, column in given.items():
        if len(column) != len(completions):
            raise ValueError(
                f"There are {len(column)} entries of `{key}` and {len(completions)} completions, but each completion needs one."
            )
    names = [f"row {index} of the batch" for index in range(len(completions))]
    rows = [dict(zip(given, row, strict=True)) for row in zip(*given.values(), strict=True)]
    programs = [
        Program(
            find_program(completion, name),
            read_tests(row["verification_info"], f"{name}, column `verification_info`"),
            **read_limits(row, name),
        )
        for completion, row, name in zip(completions, rows, names, strict=True)
    ]
    reports = grade(programs, num_workers=num_parallel)
    return [None if report.outcome is Outcome.NOT_GRADABLE else report.pass_ratio for report in reports]


def binary_code_reward(
    completions: Sequence[Any],
    num_parallel: int | None = None,
    provider_type: str | None = None,
    enforce_same_language: bool = False,
    **columns: Any,
) -> list[float | None]:
    """
    Reward completions with 1 if all tests pass and 0 otherwise.

    Args:
        completions (`Sequence`): Completions, as chat messages or as text.
        num_parallel (`int`, *optional*): See [`code_reward`].
        provider_type (`str`, *optional*): Not used.
        enforce_same_language (`bool`, *optional*, defaults to `False`): Not used.
        **columns: See [`code_reward`].

    Returns:
        `list[float | None]`: 1 or 0 per completion; `None` if the sandbox failed.

    Raises:
        ValueError: See [`code_reward`].
    """
    rewards = code_reward(completions, num_parallel, provider_type, enforce_same_language, **columns)
    return [None if reward is None else float(reward == 1.0) for reward in rewards]
