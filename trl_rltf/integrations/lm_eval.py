"""Use the grader in lm-evaluation-harness, in place of `code_eval`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ..execution import ExecutionReport, Outcome, Program
from .grading import explain, grade, warn_of_failed_sandbox
from .problem_tests import read_code


def compute_code_eval(
    predictions: Sequence[Sequence[str]],
    references: Sequence[str],
    k: Sequence[int] | int = (1, 10, 100),
    num_workers: int | None = None,
    timeout: float | None = None,
) -> tuple[dict[str, float], dict[int, list[tuple[int, dict[str, Any]]]]]:
    """
    Estimate pass@k, as the metric `code_eval` does.

    The arguments and the results are those of `evaluate.load("code_eval").compute`.

    Args:
        predictions (`Sequence[Sequence[str]]`): Candidate programs of each problem. They are run as they are.
        references (`Sequence[str]`): Code of each problem that raises unless the candidate is right.
        k (`Sequence[int]` or `int`, *optional*, defaults to `(1, 10, 100)`): Numbers of samples. As in `code_eval`, a number above
            that of the candidates of a problem is left out.
        num_workers (`int`, *optional*): Programs that run at the same time; see [`configure`].
        timeout (`float`, *optional*): CPU seconds of a test; see [`configure`]. In `code_eval` it is elapsed time.

    Returns:
        `tuple`: pass@k, as `{"pass@1": 0.5, ...}`, and for each problem, by index, a list of `(completion_id, result)`, where a
        result has `task_id`, `passed`, `result` and `completion_id`.

    Raises:
        ValueError: If the lists differ in length, a reference is not Python, k is below 1, or without an opt-in. The message
            names the reference.
        TypeError: If a candidate is not text.
    """
    ks = [k] if isinstance(k, int) else list(k)
    if any(number < 1 for number in ks):
        raise ValueError(f"`k` is {k!r}, but must be a list of whole numbers of at least 1.")
    if len(predictions) != len(references):
        raise ValueError(f"There are {len(predictions)} predictions and {len(references)} references; give one each.")
    programs = [
        Program(_text(candidate, f"prediction {task}"), tests)
        for task, (candidates, reference) in enumerate(zip(predictions, references, strict=True))
        for tests in [_tests(reference, f"reference {task}")]
        for candidate in _list(candidates, f"prediction {task}")
    ]
    # In `code_eval` the program is one script: an error after the functions that the tests use is an error.
    reports = grade(programs, num_workers=num_workers, timeout=timeout, whole_module=True)
    warn_of_failed_sandbox(reports)
    left = iter(reports)
    results: dict[int, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for task, candidates in enumerate(predictions):
        for completion, report in zip(range(len(candidates)), left, strict=False):
            results[task].append((completion, _result(task, completion, report)))
    counts = [(len(rows), sum(result["passed"] for _, result in rows)) for rows in results.values()]
    scores = {
        f"pass@{number}": sum(pass_at(n, c, number) for n, c in counts) / len(counts)
        for number in ks
        if counts and all(n >= number for n, _ in counts)
    }
    return scores, results


def pass_at_k(
    references: Sequence[str], predictions: Sequence[Sequence[str]], k: Sequence[int] | int = (1,)
) -> dict[str, float]:
    """
    Estimate pass@k, as `utils.pass_at_k` of the task `humaneval` does.

    In the YAML file of a task: `metric: !function trl_rltf.integrations.lm_eval.pass_at_k`.

    Args:
        references (`Sequence[str]`): Code of each problem that raises unless the candidate is right.
        predictions (`Sequence[Sequence[str]]`): Candidate programs of each problem.
        k (`Sequence[int]` or `int`, *optional*, defaults to `(1,)`): Numbers of samples.

    Returns:
        `dict[str, float]`: `{"pass@1": ...}`.

    Raises:
        ValueError: See [`compute_code_eval`].
    """
    return compute_code_eval(predictions, references, k)[0]


def pass_at_1(references: str | Sequence[str], predictions: Sequence[str] | Sequence[Sequence[str]]) -> float:
    """
    Estimate pass@1, as `utils.pass_at_1` of the task `mbpp` does.

    Args:
        references (`str` or `Sequence[str]`): Code of the problem, or of each problem.
        predictions (`Sequence`): Candidate programs of each problem; one text is one candidate.

    Returns:
        `float`: pass@1.

    Raises:
        ValueError: See [`compute_code_eval`].
    """
    known = [references] if isinstance(references, str) else references
    candidates = [[entry] if isinstance(entry, str) else entry for entry in predictions]
    return compute_code_eval(candidates, known, (1,))[0]["pass@1"]


def pass_at(num_samples: int, num_correct: int, k: int) -> float:
    """
    Chance that one of k samples is right (Chen et al. 2021, equation 1).

    Args:
        num_samples (`int`): Number of samples n, at least k.
        num_correct (`int`): Number of right samples c.
        k (`int`): Number of samples to draw.

    Returns:
        `float`: 1 - C(n - c, k) / C(n, k).
    """
    return 1.0 - math.comb(num_samples - num_correct, k) / math.comb(num_samples, k)


def _list(candidates: Any, name: str) -> Sequence[Any]:
    if isinstance(candidates, str) or not isinstance(candidates, Sequence):
        raise TypeError(f"{name} is of type {type(candidates).__name__}, but must be a list of candidate programs.")
    return candidates


def _text(candidate: Any, name: str) -> str:
    if not isinstance(candidate, str):
        raise TypeError(f"{name} has a candidate of type {type(candidate).__name__}, but must be a list of texts.")
    return candidate


def _tests(reference: Any, name: str) -> str:
    if not isinstance(reference, str):
        raise TypeError(f"{name} is of type {type(reference).__name__}, but must be text: Python code.")
    try:
        return read_code(reference)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _result(task: int, completion: int, report: ExecutionReport) -> dict[str, Any]:
    passed = report.outcome is Outcome.PASS
    return {"task_id": task, "passed": passed, "result": explain(report), "completion_id": completion}
