"""Log the outcomes of a batch of programs, through the hooks of TRL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..execution import ExecutionReport, Outcome


def log_outcomes(
    reports: Sequence[ExecutionReport],
    localized: Sequence[bool],
    num_run: int,
    seconds: float,
    log_extra: Callable[[str, list[Any]], None] | None,
    log_metric: Callable[[str, float], None] | None,
) -> None:
    """
    Log the outcomes of a batch.

    Args:
        reports (`Sequence[ExecutionReport]`): Report on each program.
        localized (`Sequence[bool]`): Of each program with an error, whether tokens of the error were found.
        num_run (`int`): Number of tests that were run.
        seconds (`float`): Time in the runner.
        log_extra (`Callable`, *optional*): TRL's hook for columns of the completions table.
        log_metric (`Callable`, *optional*): TRL's hook for metrics.
    """
    if log_extra is not None:
        log_extra("outcome", [report.outcome.name for report in reports])
        log_extra("tests_passed", [f"{report.num_passed}/{report.num_tests}" for report in reports])
        log_extra("error_type", [_storable(report.error_type) for report in reports])
        log_extra("error_line", [report.span.line if report.span else None for report in reports])
        log_extra("first_failure", [str(report.first_failure or "") for report in reports])
        log_extra("trailing_error", [_storable(report.trailing_error_type) for report in reports])
    if log_metric is None or not reports:
        return
    for outcome in Outcome:
        log_metric(f"outcome/{outcome.name.lower()}", sum(r.outcome is outcome for r in reports) / len(reports))
    # The tests graded the functions; the code after these (an example, a truncated line) raised an error.
    log_metric("outcome/trailing_error", sum(r.trailing_error_type is not None for r in reports) / len(reports))
    graded = [report for report in reports if report.outcome is not Outcome.NOT_GRADABLE]
    if graded:
        log_metric("outcome/pass_ratio", sum(r.pass_ratio for r in graded) / len(graded))
    if localized:
        log_metric("outcome/localized", sum(localized) / len(localized))
    # Programs that took part in their own verdict. The share depends on the tests of the batch, not on the policy.
    log_metric("grading/self_graded", sum(bool(report.self_graded_tests) for report in reports) / len(reports))
    log_metric("grading/seconds", seconds)
    log_metric("grading/programs_per_second", len(reports) / max(seconds, 1e-9))
    log_metric("grading/tests_per_second", num_run / max(seconds, 1e-9))


def log_weighted_share(
    shares: Sequence[float], reports: Sequence[ExecutionReport], log_metric: Callable[[str, float], None] | None
) -> None:
    """
    Log the share of tests passed, where tests have weights.

    Args:
        shares (`Sequence[float]`): Weighted share of each program.
        reports (`Sequence[ExecutionReport]`): Report on each program.
        log_metric (`Callable`, *optional*): TRL's hook for metrics.
    """
    graded = [
        share for share, report in zip(shares, reports, strict=True) if report.outcome is not Outcome.NOT_GRADABLE
    ]
    if log_metric is not None and graded:
        log_metric("outcome/weighted_pass_ratio", sum(graded) / len(graded))


def _storable(name: str | None) -> str:
    # A metaclass may name a class by a lone surrogate, which a parquet file cannot hold.
    return (name or "").encode("utf-8", "replace").decode()
