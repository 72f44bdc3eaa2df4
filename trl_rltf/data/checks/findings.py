"""Name the faults of a dataset, and find those of each problem."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from .cheats import SHOWN_EXAMPLE
from .results import CheckedProblem


class Finding(enum.StrEnum):
    """A property of a problem that makes its verdicts doubtful."""

    MALFORMED = "malformed"
    NOT_GRADABLE = "not_gradable"
    DUPLICATE_ID = "duplicate_id"
    DUPLICATE_PROMPT = "duplicate_prompt"
    NO_REFERENCE = "no_reference"
    NO_REFERENCE_PASSES = "no_reference_passes"
    FIRST_REFERENCE_FAILS = "first_reference_fails"
    SOME_REFERENCES_FAIL = "some_references_fail"
    EMPTY_PASSES = "empty_passes"
    EXAMPLE_PASSES = "example_passes"
    CHEAT_PASSES = "cheat_passes"
    ONE_ANSWER = "one_answer"
    FLAKY = "flaky"
    SLOW = "slow"
    SELF_GRADED = "self_graded"


# The others say what the check cannot see, and show no wrong verdict.
LEFT_OUT_BY_DEFAULT = (
    Finding.MALFORMED,
    Finding.NOT_GRADABLE,
    Finding.DUPLICATE_PROMPT,
    Finding.NO_REFERENCE_PASSES,
    Finding.FIRST_REFERENCE_FAILS,
    Finding.SOME_REFERENCES_FAIL,
    Finding.EMPTY_PASSES,
    Finding.EXAMPLE_PASSES,
    Finding.CHEAT_PASSES,
    Finding.FLAKY,
    Finding.SLOW,
)


@dataclass(frozen=True)
class CheckThresholds:
    """
    Limits from which a property of a problem is a finding.

    Args:
        cheat_pass_ratio (`float`, *optional*, defaults to `1.0`): Share of the tests that a cheat passes.
        max_seconds (`float`, *optional*): CPU seconds of the fastest reference solution. Defaults to none.

    Raises:
        ValueError: If a limit is out of range.
    """

    _: KW_ONLY
    cheat_pass_ratio: float = 1.0
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.cheat_pass_ratio <= 1:
            raise ValueError(f"`cheat_pass_ratio` is {self.cheat_pass_ratio}, but must be above 0 and at most 1.")
        if self.max_seconds is not None and not self.max_seconds > 0:
            raise ValueError(f"`max_seconds` is {self.max_seconds}, but must be a number of seconds above 0.")


def find_duplicates(problems: Iterable[Mapping[str, Any]]) -> list[dict[Finding, str]]:
    """
    Find problems with the id or the prompt of an earlier one.

    Prompts that differ in white space only are equal.

    Args:
        problems (`Iterable[Mapping]`): Rows with `prompt`, and `problem_id` if they have names.

    Returns:
        `list[dict[Finding, str]]`: Findings of each problem, with a sentence.
    """
    names: Counter[str] = Counter()
    prompts: dict[str, str] = {}
    found = []
    for index, problem in enumerate(problems):
        findings = {}
        name = str(problem.get("problem_id", index))
        if names[name]:
            findings[Finding.DUPLICATE_ID] = "an earlier row has the same id"
        names[name] += 1
        prompt = " ".join(str(problem.get("prompt", "")).split())
        if prompt in prompts:
            findings[Finding.DUPLICATE_PROMPT] = f"problem {prompts[prompt]} has the same prompt"
        prompts.setdefault(prompt, name)
        found.append(findings)
    return found


def find_faults(problem: CheckedProblem, thresholds: CheckThresholds) -> dict[Finding, str]:
    """
    Find the faults that the runs of a problem's programs show.

    Args:
        problem ([`CheckedProblem`]): The runs.
        thresholds ([`CheckThresholds`]): Limits.

    Returns:
        `dict[Finding, str]`: The findings, each with a sentence.
    """
    if problem.error:
        return {Finding.MALFORMED: problem.error}
    found = _faults_of_references(problem)
    empty, *cheats = problem.cheats
    if empty.passes:
        found[Finding.EMPTY_PASSES] = f"the empty program passes all {empty.num_tests} tests"
    for cheat in cheats:
        finding = Finding.EXAMPLE_PASSES if cheat.name == SHOWN_EXAMPLE else Finding.CHEAT_PASSES
        if cheat.pass_ratio >= thresholds.cheat_pass_ratio and finding not in found:
            passed = f"{cheat.num_passed} of {cheat.num_tests} tests"
            found[finding] = f"{cheat.name} passes {passed}: {cheat.source[:200]}"
    if problem.has_one_answer:
        found[Finding.ONE_ANSWER] = "the tests have a single expected output, which a program can contain"
    flaky = [program for program in problem.programs if program.is_flaky]
    if flaky:
        tests = f", tests {', '.join(map(str, flaky[0].flaky_tests[:5]))}" if flaky[0].flaky_tests else ""
        found[Finding.FLAKY] = f"{flaky[0].name}{tests}: two runs differ ({', '.join(flaky[0].outcomes)})"
    seconds = problem.cpu_seconds
    if thresholds.max_seconds is not None and seconds is not None and seconds > thresholds.max_seconds:
        found[Finding.SLOW] = f"the fastest reference solution takes {seconds:.1f} CPU seconds"
    failed = [program.name for program in problem.programs if not program.is_gradable]
    if failed:
        found[Finding.NOT_GRADABLE] = f"the sandbox failed while it graded {failed[0]}"
    if any(program.is_self_graded for program in problem.programs):
        found[Finding.SELF_GRADED] = "some tests run in the process of the program, which takes part in their verdict"
    return {finding: found[finding] for finding in Finding if finding in found}


def _faults_of_references(problem: CheckedProblem) -> dict[Finding, str]:
    references = problem.references
    if not references:
        return {Finding.NO_REFERENCE: "there is no reference solution"}
    failing = [program for program in references if not program.passes]
    if not failing:
        return {}
    count = f"{len(failing)} of {len(references)} reference solutions fail"
    text = f"{count}; {failing[0].name}: {failing[0].describe_failure()}"
    if len(failing) == len(references):
        return {Finding.NO_REFERENCE_PASSES: text}
    return {Finding.SOME_REFERENCES_FAIL if references[0].passes else Finding.FIRST_REFERENCE_FAILS: text}
