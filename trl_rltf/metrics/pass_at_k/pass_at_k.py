"""pass@k as an `evaluate` module that grades programs in the sandbox of trl-rltf."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import datasets
import evaluate
import numpy as np

from trl_rltf.execution import ExecutionReport, LocalRunner, Outcome, Program, parse_tests
from trl_rltf.execution.limits import TIMEOUT
from trl_rltf.execution.program import check_opt_in
from trl_rltf.execution.runner import IsolationChoice


_DESCRIPTION = """
pass@k is the probability that at least one of k sampled programs passes all unit tests of a problem, estimated without bias
from n samples per problem (Chen et al. 2021, https://arxiv.org/abs/2107.03374, equation 1).
"""
_CITATION = """
@article{chen2021evaluating,
    title   = {Evaluating Large Language Models Trained on Code},
    author  = {Mark Chen and others},
    year    = 2021,
    eprint  = {arXiv:2107.03374},
}
"""
_KWARGS_DESCRIPTION = """
Args:
    predictions (`list[list[str]]`): Candidate programs of each problem.
    references (`list[str]`): Unit tests of each problem: assert statements, as for `code_eval`, or JSON text in one of the
        formats of trl-rltf (`{"inputs": [...], "outputs": [...]}`, the same with `"fn_name"`, or `{"asserts": [...]}`).
    k (`list[int]` or `int`, *optional*, defaults to `[1, 10]`): Numbers of samples to estimate pass@k for, integers of
        Python or NumPy.
    num_workers (`int`, *optional*): Programs that run at the same time. Defaults to the number of CPU cores.
    timeout (`float`, *optional*, defaults to `4.0`): CPU seconds that each test may use.
    isolation (`str`, *optional*, defaults to `"auto"`): See `trl_rltf.execution.LocalRunner`.
    allow_code_eval (`bool`, *optional*): Opt in to running model-written code. Defaults to `HF_ALLOW_CODE_EVAL`.

Returns:
    `tuple`: pass@k, as `{"pass@1": 0.5, ...}`, and for each problem, by index, a list of `(candidate index, result)`, where a
    result has `task_id`, `passed`, `result` (outcome), `completion_id`, `num_passed` and `num_tests`.

Raises:
    ValueError: If k is not a whole number, below 1 or above the number of candidates of a problem, the lists do not match, a
        reference is malformed, or the caller did not opt in to running model-written code.

Example:

    >>> from trl_rltf.metrics import PASS_AT_K
    >>> metric = evaluate.load(PASS_AT_K)
    >>> scores, results = metric.compute(
    ...     predictions=[["def add(a, b): return a + b", "def add(a, b): return a - b"]],
    ...     references=["assert add(2, 3) == 5"],
    ...     k=[1, 2],
    ... )
    >>> scores
    {'pass@1': 0.5, 'pass@2': 1.0}
"""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class PassAtK(evaluate.Metric):
    """pass@k with the sandbox of trl-rltf."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features(
                {"predictions": datasets.Sequence(datasets.Value("string")), "references": datasets.Value("string")}
            ),
            reference_urls=["https://arxiv.org/abs/2107.03374"],
        )

    def _compute(
        self,
        predictions: list[list[str]],
        references: list[str],
        k: Sequence[int] | int = (1, 10),
        num_workers: int | None = None,
        timeout: float = TIMEOUT,
        isolation: IsolationChoice = "auto",
        allow_code_eval: bool | None = None,
    ) -> tuple[dict[str, float], dict[int, list[tuple[int, dict[str, Any]]]]]:
        check_opt_in(allow_code_eval)
        ks = _check_k(k, predictions)
        tests = [_tests_of(index, reference) for index, reference in enumerate(references)]
        programs = [Program(source, entry) for row, entry in zip(predictions, tests, strict=True) for source in row]
        with LocalRunner(
            num_workers=num_workers, timeout=timeout, isolation=isolation, allow_code_eval=True
        ) as runner:
            reports = iter(runner.run(programs))
        results = {
            task: [(candidate, _result(task, candidate, next(reports))) for candidate in range(len(row))]
            for task, row in enumerate(predictions)
        }
        totals = [len(row) for row in predictions]
        correct = [sum(result["passed"] for _, result in rows) for rows in results.values()]
        scores = {f"pass@{n}": float(np.mean(estimate_pass_at_k(totals, correct, n))) for n in ks}
        return scores, results


def estimate_pass_at_k(num_samples: Sequence[int], num_correct: Sequence[int], k: int) -> np.ndarray:
    """
    Estimate pass@k of each problem without bias.

    The estimate is 1 - C(n - c, k) / C(n, k) (Chen et al. 2021, equation 1).

    Args:
        num_samples (`Sequence[int]`): Number of samples n of each problem.
        num_correct (`Sequence[int]`): Number of correct samples c of each problem.
        k (`int`): Number of samples to draw.

    Returns:
        `np.ndarray`: Estimate for each problem, shape `(num_problems,)`.

    Raises:
        ValueError: If k is not a whole number, below 1 or above the number of samples of a problem, or a count is impossible.
    """
    samples, correct = np.asarray(num_samples), np.asarray(num_correct)
    if samples.shape != correct.shape or samples.ndim != 1:
        raise ValueError(
            f"`num_samples` has shape {samples.shape} and `num_correct` {correct.shape}; both need one entry per problem."
        )
    if samples.size and not all(np.issubdtype(counts.dtype, np.integer) for counts in (samples, correct)):
        raise ValueError("`num_samples` and `num_correct` must be whole numbers.")
    ks = check_k(k)
    if len(ks) > 1:
        raise ValueError(f"`k` is {k}, but an estimate takes one `k`.")
    k = ks[0]
    for index, (n, c) in enumerate(zip(samples, correct, strict=True)):
        if k > n:
            raise ValueError(f"pass@{k} needs at least {k} samples per problem, but problem {index} has {n}.")
        if not 0 <= c <= n:
            raise ValueError(f"Problem {index} has {n} samples, so {c} of them cannot be correct.")
    # The quotient of the binomials as a product, which stays finite for any n.
    return np.array(
        [
            1.0 if n - c < k else 1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1))
            for n, c in zip(samples, correct, strict=True)
        ]
    )


def check_k(k: Any) -> list[int]:
    """
    Check the k of pass@k.

    Args:
        k (`Any`): A whole number, or several.

    Returns:
        `list[int]`: The numbers without repetitions, in the order given.

    Raises:
        ValueError: If there is none, or one is not a whole number or below 1.
    """
    is_list = isinstance(k, Iterable) and not isinstance(k, (str, bytes)) and getattr(k, "ndim", 1) > 0
    values = list(k) if is_list else [k]
    if not values:
        raise ValueError("`k` is empty. Give the numbers of samples, such as [1, 10].")
    ks: dict[int, None] = {}
    for value in values:
        try:
            number = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
        except TypeError:
            number = None
        if number is None:
            raise ValueError(f"`k` is {value!r}, but must be a whole number such as 1, or a list of them.")
        if number < 1:
            raise ValueError(f"`k` is {number}, but must be at least 1.")
        ks[number] = None
    return list(ks)


def _check_k(k: Any, predictions: list[list[str]]) -> list[int]:
    if not predictions:
        raise ValueError("`predictions` is empty: pass@k needs at least one problem.")
    ks = check_k(k)
    for n in ks:
        for index, row in enumerate(predictions):
            if len(row) < n:
                raise ValueError(
                    f"pass@{n} needs at least {n} samples per problem, but problem {index} has {len(row)}. Sample more, or "
                    "leave it out of `k`."
                )
    return ks


def _tests_of(index: int, reference: str) -> dict[str, Any] | str:
    tests: dict[str, Any] | str = reference
    if not reference.lstrip().startswith("{"):
        tests = {"asserts": [reference]}  # the form of `code_eval`: code that raises unless the candidate is right
    try:
        parse_tests(tests)
    except ValueError as error:
        raise ValueError(f"reference {index}: {error}") from error
    return tests if isinstance(tests, str) else json.dumps(tests)


def _result(task: int, candidate: int, report: ExecutionReport) -> dict[str, Any]:
    return {
        "task_id": task,
        "passed": report.outcome is Outcome.PASS,
        "result": report.outcome.name.lower(),
        "completion_id": candidate,
        "num_passed": report.num_passed,
        "num_tests": report.num_tests,
    }
