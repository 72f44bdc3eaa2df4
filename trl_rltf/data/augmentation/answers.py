"""Run reference solutions on inputs, and keep the answers on which all agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...execution import Outcome, Program, Runner, Verdict
from ...execution.limits import ProblemLimits
from ..literals import text_of
from .seen_tests import CannotAugment, SeenTests


_MAX_CHARACTERS = 100_000  # of an answer; a longer one makes a large dataset
_MAX_ROUNDS = 3  # of inputs that take too long, of which each ends a round
_MISSING = object()


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
    Find the inputs on which all solutions give the same answer.

    Each solution runs once; the second run is that of the finished tests.

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
    # The first solution alone finds most of the inputs that are not valid.
    first = _answers(solutions[:1], seen, inputs, runner, limits)[0]
    expected: dict[int, Any] = {}
    for index in range(len(inputs)):
        if index not in first:
            dropped["error"] += 1
            continue
        try:
            expected[index] = seen.expected(first[index])
        except CannotAugment:
            dropped["not_expressible"] += 1
    left = list(expected)
    others = solutions[1:] if left else ()
    runs = [[first[index] for index in left], *_answers_in_order(others, seen, inputs, left, runner, limits)]
    agreed = []
    for index, *answers in zip(left, *runs, strict=True):
        if any(answer is _MISSING for answer in answers):
            dropped["error"] += 1
        elif all(seen.is_right(answer, expected[index], strict_comparison) for answer in answers):
            agreed.append(index)
        else:
            dropped["disagreement"] += 1
    return AgreedTests([(inputs[index], expected[index]) for index in agreed], agreed, +dropped)


def _answers_in_order(
    programs: Sequence[str],
    seen: SeenTests,
    inputs: Sequence[Any],
    chosen: Sequence[int],
    runner: Runner,
    limits: ProblemLimits,
) -> list[list[Any]]:
    """Answers of each program to the chosen inputs, `_MISSING` where there is none."""
    found = _answers(programs, seen, [inputs[index] for index in chosen], runner, limits)
    return [[answers.get(place, _MISSING) for place in range(len(chosen))] for answers in found]


def _answers(
    programs: Sequence[str], seen: SeenTests, inputs: Sequence[Any], runner: Runner, limits: ProblemLimits
) -> list[dict[int, Any]]:
    """Answers of each program to the inputs that it answers."""
    found: list[dict[int, Any]] = [{} for _ in programs]
    pending = {number: list(range(len(inputs))) for number in range(len(programs))}
    for _ in range(_MAX_ROUNDS):
        pending = {number: left for number, left in pending.items() if left}
        if not pending:
            break
        keepers = {number: _AnswerKeeper() for number in pending}
        jobs = []
        for number, left in pending.items():
            program, tests = seen.probe(programs[number], [inputs[index] for index in left])
            jobs.append(Program(program, tests, keepers[number], **limits))
        for (number, left), report in zip(list(pending.items()), runner.run(jobs), strict=True):
            if report.outcome is Outcome.NOT_GRADABLE:
                raise GraderFailed
            found[number].update({left[place]: answer for place, answer in keepers[number].answers.items()})
            # After an input that takes too long, the others may not have run.
            waiting = [
                index for index, verdict in zip(left, report.verdicts, strict=True) if verdict is Verdict.NOT_RUN
            ]
            pending[number] = waiting if len(waiting) < len(left) else []
    return found


class _AnswerKeeper:
    """A checker that keeps the answer to each input, by its number."""

    def __init__(self) -> None:
        self.answers: dict[int, Any] = {}

    def __call__(self, input_: Any, answer: Any, expected: Any) -> bool:
        size = len(answer) if isinstance(answer, str) else len(text_of(answer))
        if size <= _MAX_CHARACTERS:
            self.answers[int(expected)] = answer
        return True
