"""`code_eval` with the sandbox of trl-rltf, as an `evaluate` module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

from trl_rltf.integrations.lm_eval import compute_code_eval


_DESCRIPTION = """
pass@k of programs that run in the sandbox of trl-rltf (Chen et al. 2021, https://arxiv.org/abs/2107.03374), with the arguments
and the results of the metric `code_eval`.
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
    references (`list[str]`): Code of each problem that raises unless the candidate is right.
    k (`list[int]`, *optional*, defaults to `[1, 10, 100]`): Numbers of samples.
    num_workers (`int`, *optional*): Programs that run at the same time. Defaults to the number of usable CPU cores.
    timeout (`float`, *optional*, defaults to `4.0`): CPU seconds of a test.

Returns:
    `tuple`: pass@k, and the results of each problem.

Example:

    >>> from trl_rltf.integrations import CODE_EVAL
    >>> code_eval = evaluate.load(CODE_EVAL)
    >>> pass_at_k, results = code_eval.compute(
    ...     references=["assert add(2, 3) == 5"],
    ...     predictions=[["def add(a, b): return a * b", "def add(a, b): return a + b"]],
    ...     k=[1, 2],
    ... )
    >>> pass_at_k
    {'pass@1': 0.5, 'pass@2': 1.0}
"""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class CodeEval(evaluate.Metric):
    """`code_eval` with the sandbox of trl-rltf."""

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
        k: Sequence[int] | int = (1, 10, 100),
        num_workers: int | None = None,
        timeout: float | None = None,
    ) -> tuple[dict[str, float], dict[int, list[tuple[int, dict[str, Any]]]]]:
        return compute_code_eval(predictions, references, k, num_workers, timeout)
