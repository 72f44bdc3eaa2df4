"""Report an evaluation: a table, published figures, closing lines and a summary."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..metrics import Evaluation, summarize, summarize_filtered
from .evaluation_arguments import EvaluationArguments
from .tables import console, evaluation_table


@dataclass(frozen=True)
class PublishedFigures:
    """
    Figures of CodeT5 770M, trained on APPS with RLTF (arXiv 2307.04349).

    Args:
        name (`str`): Name of the benchmark in the table.
        ks (`tuple[int, ...]`): Usual k of pass@k.
        percentages (`Mapping[str, Mapping[str, float]]`): By name of the figure and group of problems.
    """

    name: str
    ks: tuple[int, ...]
    percentages: Mapping[str, Mapping[str, float]]


_PUBLISHED = {
    # Tables 3 and 5: without critic sampling, on the 5,000 test problems.
    "apps": PublishedFigures(
        "APPS",
        (1, 5, 10, 100, 1000),
        {
            "pass@1": {"all": 1.45, "introductory": 4.16, "interview": 0.97, "competition": 0.20},
            "pass@5": {"all": 3.78},
            "pass@10": {"all": 5.21},
            "pass@1000": {"all": 19.92},
        },
    ),
    # Table 9: without an example of MBPP.
    "mbpp": PublishedFigures("MBPP", (1, 5, 10, 80, 100, 1000), {"pass@1": {"all": 30.4}, "pass@80": {"all": 71.3}}),
}
_KS = (1, 5, 10, 100)


def published_figures(benchmark: str) -> PublishedFigures:
    """
    Published figures of a benchmark, and its usual k.

    Args:
        benchmark (`str`): Name of the benchmark. Most have no published figures.
    """
    return _PUBLISHED.get(benchmark) or PublishedFigures(benchmark, _KS, {})


def report(result: Evaluation, ks: Sequence[int], script_args: EvaluationArguments, folder: Path) -> None:
    """
    Print the table of an evaluation and write `summary.json`.

    Args:
        result ([`~metrics.Evaluation`]): Counts of the samples.
        ks (`Sequence[int]`): The k of pass@k.
        script_args ([`EvaluationArguments`]): Arguments of the run.
        folder (`Path`): Folder of the run.
    """
    benchmark = published_figures(script_args.benchmark)
    scores = summarize(result.counts, ks)
    kept = summarize_filtered(result.counts, ks) if script_args.filter_by_examples else {}
    # Shown only if some program has an error in code that the tests do not use; without one, both figures are the same.
    whole = summarize(result.counts, ks, whole_module=True) if result.num_trailing_errors else {}
    figures = {
        group: {
            **estimates,
            **{f"{key}, whole module": value for key, value in whole.get(group, {}).items()},
            **kept.get(group, {}),
        }
        for group, estimates in scores.items()
    }
    plural = "" if script_args.num_samples == 1 else "s"
    title = f"{benchmark.name}: {len(result.counts)} problems, {script_args.num_samples} sample{plural} each"
    if script_args.critic_model_name_or_path:
        title += ", continued with a critic"
    console.print(evaluation_table(title, figures, benchmark.percentages if script_args.preset == "paper" else {}))
    total = sum(result.outcomes.values())
    console.print(
        "  ".join(f"{outcome} {number / total:.1%}" for outcome, number in result.outcomes.items() if number)
    )
    if result.num_trailing_errors:
        console.print(
            f"{result.num_trailing_errors} of {total} programs have an error after the code that the tests use: an example, an "
            "assert of the model, a line that was cut off. 'Whole module' counts it, as LiveCodeBench does."
        )
    if result.num_clipped is not None:
        console.print(
            f"{result.num_clipped} of {total} completions were cut at the length limit of "
            f"{script_args.max_completion_length} tokens."
            + (
                f" {result.num_clipped_syntax_errors} of these fail as syntax errors, for lack of their end: raise "
                "`--max_completion_length`."
                if result.num_clipped_syntax_errors
                else ""
            )
        )
    summary = {
        "num_problems": len(result.counts),
        "num_samples": script_args.num_samples,
        "scores": {
            group: {key: asdict(value) for key, value in {**values, **kept.get(group, {})}.items()}
            for group, values in scores.items()
        },
        "whole_module_scores": {
            group: {key: asdict(value) for key, value in values.items()} for group, values in (whole or scores).items()
        },
        "outcomes": result.outcomes,
        "num_trailing_errors": result.num_trailing_errors,
        "num_clipped": result.num_clipped,
        "num_clipped_syntax_errors": result.num_clipped_syntax_errors,
    }
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    console.print(f"Samples: {folder / 'samples.jsonl'}   Summary: {folder / 'summary.json'}", soft_wrap=True)
