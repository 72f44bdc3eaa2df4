"""Run reference solutions on inputs, and keep the answers on which all agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...execution import Outcome, Program, Runner
from ...execution.limits import ProblemLimits
from .seen_tests import CannotAugment, SeenTests


_MAX_CHARACTERS = 100_000  # of an answer; a longer one makes a large dataset


class GraderFailed(Exception):
    """The sandbox failed, which says nothing about the programs."""


@dataclass(frozen=True)
class AgreedTests:
    """
    Inputs on which the solutions agree.

    Args:
        pairs (`list[tuple[Any, Any]]`): Inputs and expected outputs.
        chosen (`list[int]`): Index of each of these inputs among those that were given.
        dropped (`Mapping[str, int]`): Number of the other inputs, by reason.
    """

    pairs: list[tuple[Any, Any]]
    chosen: list[int]
    dropped: Mapping[str, int]

    @property
    def disagreement(self) -> float:
        """Share of the inputs with an answer of each solution on which the answers differ."""
        num_differing = self.dropped.get("disagreement", 0)
        return num_differing / max(1, num_differing + len(self.pairs))


def find_agreement(
    solutions: Sequence[str],
    seen: SeenTests,
    inputs: Sequence[Any],
    runner: Runner,
    limits: ProblemLimits,
    *,
    strict_comparison: bool = False,
) -> AgreedTests:
    """
    Find the inputs on which all solutions give the same answer, twice.

    Args:
        solutions (`Sequence[str]`): Programs that pass the tests.
        seen (`SeenTests`): The tests of the problem.
        inputs (`Sequence[Any]`): Inputs for new tests.
        runner ([`~execution.Runner`]): Runs the solutions in the sandbox.
        limits (`ProblemLimits`): Limits per input. An input on which a solution exceeds them is dropped.
        strict_comparison (`bool`, *optional*, defaults to `False`): Compare without the tolerance of APPS.

    Returns:
        [`AgreedTests`]: The inputs, their expected outputs, and the number of those that were dropped.

    Raises:
        GraderFailed: If the sandbox fails.
    """
    dropped: Counter[str] = Counter()
    left = list(range(len(inputs)))
    # The first solution alone finds most of the inputs that are not valid.
    first = _answers(solutions[:1], seen, inputs, runner, limits)[0]
    dropped["error"] += len(left) - len(first)
    left = [index for index in left if index in first]
    expected: dict[int, Any] = {}
    for number_of_run in range(2):
        if not left:
            break
        given = [inputs[index] for index in left]
        runs = _answers(solutions, seen, given, runner, limits)
        kept = []
        for place, index in enumerate(left):
            answers = [answers_of[place] for answers_of in runs if place in answers_of]
            if len(answers) < len(solutions):
                dropped["error"] += 1
                continue
            if index not in expected:
                try:
                    expected[index] = seen.expected(first[index])
                except CannotAugment:
                    dropped["not_expressible"] += 1
                    continue
            if all(seen.is_right(answer, expected[index], strict_comparison) for answer in answers):
                kept.append(index)
            elif number_of_run or not seen.is_right(answers[0], expected[index], strict_comparison):
                dropped["flaky"] += 1
            else:
                dropped["disagreement"] += 1
        left = kept
    return AgreedTests([(inputs[index], expected[index]) for index in left], left, +dropped)


def _answers(
    programs: Sequence[str], seen: SeenTests, inputs: Sequence[Any], runner: Runner, limits: ProblemLimits
) -> list[dict[int, Any]]:
    """Answers of each program to the inputs that it answers."""
    keepers = [_AnswerKeeper() for _ in programs]
    jobs = []
    for source, keeper in zip(programs, keepers, strict=True):
        program, tests = seen.probe(source, inputs)
        jobs.append(Program(program, tests, keeper, **limits))
    for report in runner.run(jobs):
        if report.outcome is Outcome.NOT_GRADABLE:
            raise GraderFailed
    return [keeper.answers for keeper in keepers]


class _AnswerKeeper:
    """A checker that keeps the answer to each input, whose number is the expected output."""

    def __init__(self) -> None:
        self.answers: dict[int, Any] = {}

    def __call__(self, input_: Any, answer: Any, expected: Any) -> bool:
        size = len(answer) if isinstance(answer, str) else len(repr(answer))
        if size <= _MAX_CHARACTERS:
            self.answers[int(expected)] = answer
        return True
