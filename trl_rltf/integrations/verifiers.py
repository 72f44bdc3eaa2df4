"""Reward functions for verifiers: for a task, and for a rubric."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping
from typing import Any

from ..execution import ExecutionReport, Program
from .grading import explain, find_program, refuse_failed_sandbox, start_grading
from .problem_tests import read_limits, read_tests


_COLUMNS = ("tests", "verification_info")


async def task_reward(task: Any, trace: Any) -> float:
    """
    Reward the last reply of a trace with the share of tests passed (verifiers 0.3 and later).

    Plug it into a task by its path, `trl_rltf.integrations.verifiers.task_reward`, or call it in a method with `@vf.reward`.
    The counts and the reason go to `trace.info["unit_tests"]`.

    Args:
        task (`verifiers.v1.TaskData`): Data of the task. Its field `tests` (or `verification_info`) has the unit tests;
            `time_limit` (seconds per test) and `memory_limit` (bytes), if it has them, replace the limits of the runner.
        trace (`verifiers.v1.Trace`): Trace of the rollout.

    Returns:
        `float`: Share of tests passed, from 0 to 1.

    Raises:
        ValueError: If the tests are missing, or the tests or the limits malformed. The message names the task.
        SandboxError: If the sandbox failed. verifiers records both as errors of the rollout.
    """
    label = next((str(value) for value in (task.id, task.name, task.idx) if value is not None), "without a name")
    name = f"task {label}"
    tests = next((value for key in _COLUMNS if (value := getattr(task, key, None)) is not None), None)
    report = await _grade(trace.last_reply, tests, task, name)
    trace.info["unit_tests"] = _details(report)
    return report.pass_ratio


async def rubric_reward(
    completion: Any,
    info: Any = None,
    answer: Any = None,
    state: MutableMapping[str, Any] | None = None,
    **objects: Any,
) -> float:
    """
    Reward a completion with the share of tests passed, in a `verifiers.Rubric` (verifiers up to 0.2).

    Use it as `verifiers.Rubric(funcs=[rubric_reward])`. A rubric logs an error of a reward function and scores 0, so check the
    tests with [`check_tests`] when the dataset is loaded. The counts and the reason go to `state["unit_tests"]`.

    Args:
        completion (`str` or `list`): Text, or chat messages.
        info (`Mapping`, *optional*): Column `info`; `tests` (or `verification_info`) has the unit tests, and `time_limit` and
            `memory_limit` the limits, as for [`task_reward`].
        answer (`str`, *optional*): Column `answer`: the unit tests, if `info` has none.
        state (`MutableMapping`, *optional*): State of the rollout.
        **objects: Other objects of the rubric; not used.

    Returns:
        `float`: Share of tests passed, from 0 to 1.

    Raises:
        ValueError: If the tests are missing, or the tests or the limits malformed. The message names the example.
        SandboxError: If the sandbox failed.
    """
    name = f"example {(state or {}).get('example_id', 'without a number')}"
    known = info if isinstance(info, Mapping) else {}
    tests = next((known[key] for key in _COLUMNS if known.get(key) is not None), answer or None)
    report = await _grade(completion, tests, known, name)
    if state is not None:
        state["unit_tests"] = _details(report)
    return report.pass_ratio


async def _grade(completion: Any, tests: Any, problem: Any, name: str) -> ExecutionReport:
    if tests is None:
        raise ValueError(
            f"{name}: there are no unit tests. Put them into `tests`: of the data of the task, or of the column `info`."
        )
    program = Program(find_program(completion, name), read_tests(tests, name), **read_limits(problem, name))
    report = (await asyncio.wrap_future(start_grading([program])))[0]
    refuse_failed_sandbox(report, name)
    return report


def _details(report: ExecutionReport) -> dict[str, Any]:
    return {
        "outcome": report.outcome.name.lower(),
        "num_passed": report.num_passed,
        "num_tests": report.num_tests,
        "reason": explain(report),
    }
