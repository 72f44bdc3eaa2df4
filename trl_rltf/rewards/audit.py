"""Run tests that do not count in the reward, and log how many of them pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..execution import ExecutionReport, Outcome, Program
from ..execution.audit_tests import split_audit_tests


def check_share(share: object) -> None:
    """
    Check the argument `audit_tests`.

    Args:
        share (`object`): Its value.

    Raises:
        ValueError: If it is not a number from 0 to below 1.
    """
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share < 1:
        raise ValueError(
            f"`audit_tests` is {share!r}, but must be a share of the tests: 0 (off) or above, and below 1, such as 0.3."
        )


def with_audits(programs: Sequence[Program], share: float) -> tuple[list[Program], list[int]]:
    """
    Add a program with the audit tests to each program that has some.

    It is a separate program, so that it changes neither the outcome of the rewarded tests nor their error: an audit test may raise or
    run out of time.

    Args:
        programs (`Sequence[Program]`): Programs with all tests.
        share (`float`): Share of the tests that audit; 0 for none.

    Returns:
        `tuple[list[Program], list[int]]`: The programs with their rewarded tests, and after them those with audit tests; and
        for each of these the index of its program.
    """
    if share == 0:
        return list(programs), []
    known: dict[str, Any] = {}  # the completions of a group have equal tests
    rewarded, audits, owners = [], [], []
    for index, program in enumerate(programs):
        key = program.tests if isinstance(program.tests, str) else ""
        parts = known.get(key) or split_audit_tests(program.tests, share)
        if key:
            known[key] = parts
        rewarded.append(replace(program, tests=parts[0]))
        if parts[1] is not None:
            audits.append(replace(program, tests=parts[1]))
            owners.append(index)
    return rewarded + audits, owners


def log_audits(
    reports: Sequence[ExecutionReport],
    audits: Mapping[int, ExecutionReport],
    log_extra: Callable[[str, list[Any]], None] | None,
    log_metric: Callable[[str, float], None] | None,
) -> None:
    """
    Log the audit tests, and how far the rewarded ones are ahead of them.

    Args:
        reports (`Sequence[ExecutionReport]`): Report on the rewarded tests of each program.
        audits (`Mapping[int, ExecutionReport]`): Reports on audit tests, by the index of the program.
        log_extra (`Callable`, *optional*): TRL's hook for columns of the completions table.
        log_metric (`Callable`, *optional*): TRL's hook for metrics.
    """
    if log_extra is not None:
        texts = {index: f"{report.num_passed}/{report.num_tests}" for index, report in audits.items()}
        log_extra("audit_tests_passed", [texts.get(index, "") for index in range(len(reports))])
    pairs = [
        (reports[index].pass_ratio, audit.pass_ratio)
        for index, audit in audits.items()
        if Outcome.NOT_GRADABLE not in (reports[index].outcome, audit.outcome)
    ]
    if log_metric is not None and pairs:
        log_metric("audit/pass_ratio", sum(audit for _, audit in pairs) / len(pairs))
        log_metric("audit/gap", sum(rewarded - audit for rewarded, audit in pairs) / len(pairs))
