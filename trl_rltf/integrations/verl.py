"""Score completions in verl, as a custom reward function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..execution import ExecutionReport, Outcome, Program
from .grading import explain, find_program, grade, refuse_failed_sandbox
from .problem_tests import read_limits, read_tests


def compute_score(
    data_source: Any,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """
    Score one completion, as verl's reward managers `naive` and `dapo` ask for.

    Name it in verl's configuration: `reward.custom_reward_function.path=pkg://trl_rltf.integrations.verl` and
    `reward.custom_reward_function.name=compute_score`.

    Args:
        data_source (`str`): Name of the dataset; for error messages.
        solution_str (`str`): Text of the completion.
        ground_truth (`str` or `Mapping`): Unit tests: JSON text or a mapping with `inputs` and `outputs` (and `fn_name`), as in
            verl's `prime_code`, `asserts`, or `test_cases`; or Python code that raises unless the program is right.
        extra_info (`Mapping`, *optional*): Columns of verl: `time_limit` (seconds per test) and `memory_limit` (bytes) replace the limits
            of the runner; `index` is used in error messages.
        **options: Of `reward.custom_reward_function.reward_kwargs`:
            - `binary` (`bool`, defaults to `False`): Score 1 if all tests pass and 0 otherwise;
            - `not_gradable_score` (`float`): Score of a program that the sandbox failed on. By default that is an error;
            - `num_workers`, `timeout`, `isolation`, `allow_code_eval`: see [`configure`].

            Anything else that verl passes is not used.

    Returns:
        `dict`: `score`, the share of tests passed; `acc`, 1 if all passed and 0 otherwise; `num_passed`; `num_tests`; `outcome`;
        `reason`. verl trains on `score` and logs the numbers.

    Raises:
        ValueError: If the tests or the limits are malformed. The message names the row.
        SandboxError: If the sandbox failed and there is no `not_gradable_score`.
    """
    return compute_scores([data_source], [solution_str], [ground_truth], [extra_info], **options)[0]


def compute_scores(
    data_sources: Sequence[Any],
    solution_strs: Sequence[str],
    ground_truths: Sequence[Any],
    extra_infos: Sequence[Mapping[str, Any] | None] | None = None,
    *,
    binary: bool = False,
    not_gradable_score: float | None = None,
    num_workers: int | None = None,
    timeout: float | None = None,
    isolation: str | None = None,
    allow_code_eval: bool | None = None,
    **other: Any,
) -> list[dict[str, Any]]:
    """
    Score a batch of completions, as verl's reward manager `batch` asks for.

    The programs of the batch run at the same time, on `num_workers` cores.

    Args:
        data_sources (`Sequence[str]`): Name of the dataset of each completion.
        solution_strs (`Sequence[str]`): Text of each completion.
        ground_truths (`Sequence`): Unit tests of each completion; see [`compute_score`].
        extra_infos (`Sequence[Mapping]`, *optional*): Columns of verl; see [`compute_score`].
        binary (`bool`, *optional*, defaults to `False`): Score 1 if all tests pass and 0 otherwise.
        not_gradable_score (`float`, *optional*): Score of a program that the sandbox failed on.
        num_workers (`int`, *optional*): See [`configure`].
        timeout (`float`, *optional*): See [`configure`].
        isolation (`str`, *optional*): See [`configure`].
        allow_code_eval (`bool`, *optional*): See [`configure`].
        **other: Anything else that verl passes; not used.

    Returns:
        `list[dict]`: One entry per completion; see [`compute_score`].

    Raises:
        ValueError: If the tests or the limits are malformed, or the lists differ in length. The message names the row.
        SandboxError: If the sandbox failed and there is no `not_gradable_score`.
    """
    lengths = {len(data_sources), len(solution_strs), len(ground_truths)}
    if len(lengths) > 1 or (extra_infos is not None and len(extra_infos) not in lengths):
        raise ValueError("`data_sources`, `solution_strs`, `ground_truths` and `extra_infos` differ in length.")
    infos = [None] * len(solution_strs) if extra_infos is None else extra_infos
    names = [_name(position, *row) for position, row in enumerate(zip(data_sources, infos, strict=True))]
    programs = [
        Program(
            find_program(solution, name),
            read_tests(tests, f"{name}, `ground_truth`"),
            **read_limits(info, f"{name}, `extra_info`"),
        )
        for solution, tests, info, name in zip(solution_strs, ground_truths, infos, names, strict=True)
    ]
    reports = grade(
        programs, num_workers=num_workers, timeout=timeout, isolation=isolation, allow_code_eval=allow_code_eval
    )
    if not_gradable_score is None:
        for report, name in zip(reports, names, strict=True):
            refuse_failed_sandbox(report, name)
    return [_score(report, binary, not_gradable_score) for report in reports]


def _name(position: int, data_source: Any, extra_info: Mapping[str, Any] | None) -> str:
    index = (extra_info or {}).get("index")
    return f"row {position} of the batch (data source {data_source!r}, index {index!r})"


def _score(report: ExecutionReport, binary: bool, not_gradable_score: float | None) -> dict[str, Any]:
    acc = float(report.outcome is Outcome.PASS)
    score = acc if binary else report.pass_ratio
    if report.outcome is Outcome.NOT_GRADABLE and not_gradable_score is not None:
        score = float(not_gradable_score)
    # verl takes the names of the columns from the first row, so all rows have the same.
    return {
        "score": score,
        "acc": acc,
        "num_passed": report.num_passed,
        "num_tests": report.num_tests,
        "outcome": report.outcome.name.lower(),
        "reason": explain(report),
    }
