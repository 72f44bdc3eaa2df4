"""Grade the samples of problems, describe each in a row, and count the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from datasets import Dataset

from ..data.starter_code import complete_program, continues_function
from ..execution import Outcome, Program, Runner
from ..execution.limits import LIMIT_COLUMNS, problem_limits
from ..generation.completion import Completion
from .samplers import Sampler
from .statistics import ProblemCounts


VisibleTests = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]


def grade(
    problems: Sequence[Mapping[str, Any]],
    completions: Sequence[Sequence[str]],
    sampler: Sampler,
    runner: Runner,
    visible_tests: VisibleTests | None = None,
) -> Iterator[dict[str, Any]]:
    """
    Grade samples, on the visible tests of their problems too.

    A program is completed with the starter code of its problem.

    Args:
        problems (`Sequence[Mapping]`): Rows of the problems. Their `time_limit` and `memory_limit` replace the limits of the runner.
        completions (`Sequence[Sequence[str]]`): Completions of each problem.
        sampler ([`Sampler`]): Finds the program of a completion.
        runner ([`~execution.Runner`]): Runs the tests.
        visible_tests (`Callable`, *optional*): Gives the tests that a problem shows, or `None` if it shows none.

    Yields:
        `dict`: A row of `samples.jsonl` per completion, problem by problem.
    """
    visible = [None if visible_tests is None else visible_tests(problem) for problem in problems]
    programs = []
    for problem, shown, texts in zip(problems, visible, completions, strict=True):
        limits = problem_limits(problem)
        for text in texts:
            source = whole_program(problem.get("starter_code") or "", text, sampler.program)
            programs.append(Program(source, problem["tests"], **limits))
            if shown is not None:
                programs.append(Program(source, shown, **limits))
    reports = iter(runner.run(programs))
    for problem, shown, texts in zip(problems, visible, completions, strict=True):
        for number, text in enumerate(texts):
            report = next(reports)
            passes_visible = None if shown is None else next(reports).outcome is Outcome.PASS
            yield {
                "problem_id": problem["problem_id"],
                "difficulty": problem["difficulty"],
                "sample": number,
                "outcome": report.outcome.name,
                "num_passed": report.num_passed,
                "num_tests": report.num_tests,
                "error_type": report.error_type,
                "error_message": report.error_message,
                "error_line": None if report.span is None else report.span.line,
                "first_failure": None if report.first_failure is None else str(report.first_failure),
                "trailing_error_type": report.trailing_error_type,
                "trailing_error_message": report.trailing_error_message,
                "trailing_error_line": None if report.trailing_span is None else report.trailing_span.line,
                "whole_module_outcome": report.whole_module_outcome.name,
                "passes_visible_tests": passes_visible,
                "is_clipped": text.is_clipped if isinstance(text, Completion) else None,
                "completion": text,
            }


def check_problem_limits(problems: Dataset) -> None:
    """
    Check the limits of problems before anything is sampled.

    Args:
        problems ([`~datasets.Dataset`]): The problems.

    Raises:
        ValueError: If a limit is malformed. The message names the row.
    """
    names = [name for name in LIMIT_COLUMNS if name in problems.column_names]
    if not names:
        return
    if "problem_id" in problems.column_names:
        names.append("problem_id")
    for index, problem in enumerate(problems.select_columns(names)):
        try:
            problem_limits(problem)
        except ValueError as error:
            name = f" (problem {problem['problem_id']!r})" if "problem_id" in problem else ""
            raise ValueError(f"row {index}{name}: {error}") from error


def whole_program(starter_code: str, completion: str, find_program: Callable[[str], str]) -> str:
    """
    Make the program of a completion that is graded.

    Args:
        starter_code (`str`): Code that the prompt begins with; may be empty.
        completion (`str`): Text of the completion.
        find_program (`Callable[[str], str]`): Finds the program in a completion.
    """
    # The body of a function is not searched for a program: it would lose its indent.
    is_body = bool(starter_code) and continues_function(completion)
    return complete_program(starter_code, completion if is_body else find_program(completion))


class SampleCounter:
    """
    Count graded samples.

    Args:
        problems (`Iterable[ProblemCounts]`): Counts of each problem, all zero.
    """

    def __init__(self, problems: Iterable[ProblemCounts]):
        self.problems = list(problems)
        self.outcomes = {outcome.name: 0 for outcome in reversed(Outcome)}
        self.num_trailing_errors = 0
        self.num_clipped: int | None = None
        self.num_clipped_syntax_errors = 0

    def add(self, index: int, sample: Mapping[str, Any]) -> None:
        """
        Count a sample.

        Args:
            index (`int`): Index of its problem.
            sample (`Mapping[str, Any]`): Its row, as [`grade`] makes it.

        Raises:
            KeyError: If the row lacks a column or has an unknown outcome.
        """
        problem, is_correct = self.problems[index], sample["outcome"] == Outcome.PASS.name
        is_kept = sample["passes_visible_tests"] is not False
        problem.num_samples += 1
        problem.num_correct += is_correct
        problem.num_kept += is_kept
        problem.num_kept_correct += is_kept and is_correct
        problem.num_whole_correct += sample["whole_module_outcome"] == Outcome.PASS.name
        self.num_trailing_errors += sample["trailing_error_type"] is not None
        if sample["is_clipped"] is not None:
            self.num_clipped = (self.num_clipped or 0) + sample["is_clipped"]
            is_syntax_error = sample["outcome"] == Outcome.SYNTAX_ERROR.name
            self.num_clipped_syntax_errors += sample["is_clipped"] and is_syntax_error
        self.outcomes[sample["outcome"]] += 1
