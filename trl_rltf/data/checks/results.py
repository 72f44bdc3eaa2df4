"""Hold what the runs of a problem's programs showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from typing import Any, Self

from ...execution import ExecutionReport, Outcome


@dataclass(frozen=True)
class CheckedProgram:
    """
    Runs of one program of a problem.

    Args:
        name (`str`): `"reference 0"`, `"empty"`, or the name of a cheat.
        outcomes (`list[str]`): Name of the [`~execution.Outcome`] of each run.
        num_passed (`int`): Least number of tests passed in a run.
        num_tests (`int`): Number of tests.
        flaky_tests (`list[int]`): Tests whose verdicts differ between the runs.
        cpu_seconds (`float`): CPU seconds of the slowest run.
        source (`str`, *optional*, defaults to `""`): Its text, if it is not a reference solution.
        error_type (`str`, *optional*): Name of the exception class in the first run that was not passed.
        first_failure (`dict`, *optional*): The first test that it did not pass, as in [`~execution.FirstFailure`].
        is_self_graded (`bool`, *optional*, defaults to `False`): Whether some tests ran in the process of the program.
        peak_memory (`int`, *optional*, defaults to `0`): Bytes of resident memory of its largest process, in the run that took
            most.
    """

    name: str
    outcomes: list[str]
    num_passed: int
    num_tests: int
    flaky_tests: list[int]
    cpu_seconds: float
    _: KW_ONLY
    source: str = ""
    error_type: str | None = None
    first_failure: dict[str, Any] | None = None
    is_self_graded: bool = False
    peak_memory: int = 0

    @classmethod
    def from_reports(cls, name: str, source: str, reports: Sequence[ExecutionReport]) -> Self:
        """
        Compare the reports on the runs of a program.

        Args:
            name (`str`): Name of the program.
            source (`str`): Text to keep.
            reports (`Sequence[ExecutionReport]`): One report per run.

        Returns:
            [`CheckedProgram`]: The result.
        """
        failed = next((report for report in reports if report.outcome is not Outcome.PASS), None)
        first_failure = None if failed is None or failed.first_failure is None else asdict(failed.first_failure)
        graded = [report.verdicts for report in reports if report.outcome is not Outcome.NOT_GRADABLE]
        return cls(
            name,
            [report.outcome.name for report in reports],
            min(report.num_passed for report in reports),
            max(report.num_tests for report in reports),
            [test for test, verdicts in enumerate(zip(*graded, strict=True)) if len(set(verdicts)) > 1],
            max(report.cpu_seconds for report in reports),
            source=source,
            error_type=None if failed is None else failed.error_type,
            first_failure=first_failure,
            is_self_graded=any(report.self_graded_tests for report in reports),
            peak_memory=max(report.peak_memory for report in reports),
        )

    @property
    def passes(self) -> bool:
        """Whether it passed all tests in all runs."""
        return all(outcome == Outcome.PASS.name for outcome in self.outcomes)

    @property
    def pass_ratio(self) -> float:
        """Share of the tests that it passed in its worst run."""
        return self.num_passed / max(1, self.num_tests)

    @property
    def is_flaky(self) -> bool:
        """Whether two runs differ."""
        return bool(self.flaky_tests) or len(self._graded_outcomes) > 1

    @property
    def is_gradable(self) -> bool:
        """Whether the sandbox worked in all runs."""
        return Outcome.NOT_GRADABLE.name not in self.outcomes

    @property
    def _graded_outcomes(self) -> set[str]:
        return {*self.outcomes} - {Outcome.NOT_GRADABLE.name}

    def describe_failure(self) -> str:
        """The outcome and the first failing test, on one line."""
        worst = min((Outcome[outcome] for outcome in self.outcomes), default=Outcome.NOT_GRADABLE)
        text = worst.name if self.error_type is None else f"{worst.name} ({self.error_type})"
        if self.first_failure is None:
            return text
        parts = [f"{name} {self.first_failure[name]}" for name in ("input", "expected", "got")]
        return f"{text} in test {self.first_failure['test']}: {', '.join(parts)}"


@dataclass(frozen=True)
class CheckedProblem:
    """
    Runs of the programs of one problem.

    Args:
        problem_id (`str`): Name of the problem.
        references (`list[CheckedProgram]`): Reference solutions.
        cheats (`list[CheckedProgram]`): The empty program, which is the first, and the cheats.
        has_one_answer (`bool`, *optional*, defaults to `False`): Whether the tests have a single expected output.
        error (`str`, *optional*, defaults to `""`): What is malformed in the tests. Such a problem has no programs.
    """

    problem_id: str
    references: list[CheckedProgram]
    cheats: list[CheckedProgram]
    _: KW_ONLY
    has_one_answer: bool = False
    error: str = ""

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """
        Make a result again from `asdict`.

        Args:
            content (`Mapping[str, Any]`): The fields.

        Returns:
            [`CheckedProblem`]: The result.

        Raises:
            TypeError: If the fields are not those of this class.
        """
        programs = {name: [CheckedProgram(**row) for row in content[name]] for name in ("references", "cheats")}
        return cls(**{**content, **programs})

    @property
    def programs(self) -> list[CheckedProgram]:
        """All programs that ran."""
        return [*self.references, *self.cheats]

    @property
    def cpu_seconds(self) -> float | None:
        """CPU seconds of the fastest reference solution that passes; `None` without one."""
        return min((program.cpu_seconds for program in self.references if program.passes), default=None)

    @property
    def peak_memory(self) -> int | None:
        """Bytes of memory of the reference solution that passes with least, or `None`."""
        return min((program.peak_memory for program in self.references if program.passes), default=None)
