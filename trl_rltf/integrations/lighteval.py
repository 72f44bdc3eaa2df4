"""Make a sample-level metric of lighteval that runs unit tests."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import Any

from ..execution import Outcome, Program
from .grading import find_program, grade, warn_of_failed_sandbox
from .lm_eval import pass_at
from .problem_tests import read_limits, read_tests


def pass_at_k_metric(k: int = 1, n: int | None = None) -> Any:
    """
    Make a metric for a lighteval task.

    Put it into `metrics` of a `LightevalTaskConfig`. `Doc.specific` of a problem has the unit tests: under `tests`, or as the
    mapping itself, as `{"inputs": [...], "outputs": [...], "fn_name": ...}` of lighteval's LiveCodeBench; `time_limit` (seconds per
    test) and `memory_limit` (bytes) next to them replace the limits of the runner. The programs of all problems are graded in one
    batch.

    Args:
        k (`int`, *optional*, defaults to `1`): Number of samples of pass@k.
        n (`int`, *optional*): Number of completions that lighteval samples per problem. Defaults to `k`.

    Returns:
        `lighteval.metrics.utils.metric_utils.SampleLevelMetric`: The metric `code_pass@k:k=1&n=1`. It is 0 or 1 per problem for
        `n=1`, and the estimate of pass@k from all completions otherwise.

    Raises:
        ImportError: If lighteval is not installed.
        ValueError: If k is below 1, or n below k.
    """
    n = k if n is None else n
    if not 1 <= k <= n:
        raise ValueError(f"`k` is {k} and `n` is {n}, but `k` must be at least 1 and at most `n`.")
    utils = _import("lighteval.metrics.utils.metric_utils")
    return utils.SampleLevelMetric(
        metric_name=f"code_pass@k:k={k}&n={n}",
        higher_is_better=True,
        category=_import("lighteval.tasks.requests").SamplingMethod.GENERATIVE,
        sample_level_fn=_computation()(k, n),
        corpus_level_fn=_mean,
        batched_compute=True,
    )


class _PassAtK:
    """pass@k of the completions of a problem."""

    def __init__(self, k: int, n: int) -> None:
        self.k = k
        self.n = n

    def num_samples(self) -> int:
        """Number of completions per problem, which lighteval asks for."""
        return self.n

    def compute(
        self,
        model_response: Any = None,
        doc: Any = None,
        responses: Sequence[Any] | None = None,
        docs: Sequence[Any] | None = None,
        **other: Any,
    ) -> float | list[float]:
        """
        Estimate pass@k of one problem, or of each of several.

        Args:
            model_response (`ModelResponse`, *optional*): Completions of one problem.
            doc (`Doc`, *optional*): The problem.
            responses (`Sequence[ModelResponse]`, *optional*): Completions of each problem, as lighteval passes for a metric that
                computes batches.
            docs (`Sequence[Doc]`, *optional*): The problems.
            **other: Not used.

        Returns:
            `float` or `list[float]`: Estimate for the problem, or for each.
        """
        if responses is None or docs is None:
            return self._compute([model_response], [doc])[0]
        return self._compute(responses, docs)

    def _compute(self, responses: Sequence[Any], docs: Sequence[Any]) -> list[float]:
        programs, sizes = [], []
        for index, (response, doc) in enumerate(zip(responses, docs, strict=True)):
            name = f"problem {index} (task {doc.task_name!r}, id {doc.id!r})"
            texts = response.final_text[: self.n]
            if len(texts) < self.k:
                raise ValueError(
                    f"{name}: pass@{self.k} needs at least {self.k} completions, found {len(texts)}. Sample more, or lower `k`."
                )
            tests, limits = _tests(doc.specific, name), read_limits(doc.specific, f"{name}, `Doc.specific`")
            programs += [Program(find_program(text, name), tests, **limits) for text in texts]
            sizes.append(len(texts))
        reports = grade(programs, whole_module=True)  # as in LiveCodeBench
        warn_of_failed_sandbox(reports)
        passed = iter([report.outcome is Outcome.PASS for report in reports])
        return [pass_at(size, sum(next(passed) for _ in range(size)), self.k) for size in sizes]


@functools.cache
def _computation() -> type[_PassAtK]:
    samples = _import("lighteval.metrics.metrics_sample")
    # A task asks metrics of the class `SamplingMetric` for their number of completions.
    parents = (_PassAtK, samples.SamplingMetric, samples.SampleLevelComputation)
    return type("CodePassAtK", parents, {"__doc__": _PassAtK.__doc__})


def _mean(scores: Sequence[float]) -> float:
    return sum(scores) / len(scores)


def _tests(specific: Any, name: str) -> str:
    if not specific:
        raise ValueError(f"{name}: `Doc.specific` is empty. Put the unit tests there, as `tests`.")
    tests = specific["tests"] if specific.get("tests") is not None else specific
    return read_tests(tests, f"{name}, `Doc.specific`")


def _import(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "lighteval":
            raise
        raise ImportError(
            "lighteval is not installed, but this metric needs it. Run `pip install lighteval`."
        ) from error
