"""The scripts of the command line, and the parts that other scripts are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .arguments import CriticScriptArguments as CriticScriptArguments
    from .arguments import RLTFScriptArguments as RLTFScriptArguments
    from .bad_input import short_errors as short_errors
    from .benchmark_arguments import BenchmarkArguments as BenchmarkArguments
    from .evaluation_arguments import EvaluationArguments as EvaluationArguments
    from .evaluation_problems import load_benchmark_problems as load_benchmark_problems
    from .policy import load_policy as load_policy
    from .problems import load_problems as load_problems
    from .tables import report_training as report_training
    from .training_results import save_and_report as save_and_report
    from .warm_start import load_policy_and_warm_start as load_policy_and_warm_start

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".arguments": ("CriticScriptArguments", "RLTFScriptArguments"),
        ".bad_input": ("short_errors",),
        ".benchmark_arguments": ("BenchmarkArguments",),
        ".evaluation_arguments": ("EvaluationArguments",),
        ".evaluation_problems": ("load_benchmark_problems",),
        ".policy": ("load_policy",),
        ".problems": ("load_problems",),
        ".tables": ("report_training",),
        ".training_results": ("save_and_report",),
        ".warm_start": ("load_policy_and_warm_start",),
    },
)
