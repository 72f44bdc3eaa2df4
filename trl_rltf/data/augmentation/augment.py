"""Give problems more tests: inputs, the answers of the solutions, and a choice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass
from typing import Any

from ...execution import Outcome, Runner, parse_tests
from ...execution.limits import ProblemLimits, problem_limits
from ...execution.wire.plain_values import dump_json
from ..literals import text_of
from .answers import GraderFailed, find_agreement
from .greedy_cover import choose_tests
from .killing import failed_tests, find_survivors
from .mutants import make_mutants
from .results import ORIGINAL, AugmentedProblem, LeftAlone
from .seen_tests import CannotAugment, SeenTests, read_seen_tests
from .solutions import distinct_programs, grade_programs
from .sources import InputSource, MutatedInputs, ProblemInputs
from .stoppable_runner import StoppableRunner


_MIN_DISAGREEMENTS = 3  # inputs; one or two may be invalid
# Errors of a source of inputs that unusual values in the tests cause.
_UNUSUAL = (ArithmeticError, LookupError, RecursionError, TypeError, ValueError)
_MUTATED_SOLUTIONS = 4  # per problem
_TRIED_PER_SOLUTION = 2  # reference solutions that are graded, per one that takes part
_AHEAD = 2  # problems per worker that are begun before their turn


@dataclass(frozen=True)
class AugmentationSettings:
    """
    Settings on which the new tests depend.

    Args:
        num_tests (`int`, *optional*, defaults to `20`): New tests per problem, at most.
        num_inputs (`int`, *optional*, defaults to `30`): Inputs per problem from each source, at most.
        num_solutions (`int`, *optional*, defaults to `8`): Reference solutions per problem that take part, at most.
        num_mutants (`int`, *optional*, defaults to `40`): Mutants per problem, at most.
        allow_single_solution (`bool`, *optional*, defaults to `False`): Trust a single solution.
        max_disagreement (`float`, *optional*, defaults to `0.25`): Share of the inputs on which the solutions disagree above which a
            problem counts as one with several right answers.
        max_seconds (`float`, *optional*, defaults to `1.0`): CPU seconds of a solution per input, and of a mutant. Inputs on which a
            solution takes longer are dropped, so that slower programs that are right pass too.
        strict_comparison (`bool`, *optional*, defaults to `False`): Compare without the tolerance of APPS.
        seed (`int`, *optional*, defaults to `0`): Seed of all choices.

    Raises:
        ValueError: If a value is out of range.
    """

    _: KW_ONLY
    num_tests: int = 20
    num_inputs: int = 30
    num_solutions: int = 8
    num_mutants: int = 40
    allow_single_solution: bool = False
    max_disagreement: float = 0.25
    max_seconds: float = 1.0
    strict_comparison: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("num_tests", 1), ("num_inputs", 1), ("num_solutions", 1), ("num_mutants", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` is {getattr(self, name)}, but must be at least {least}.")
        if self.num_solutions < 2 and not self.allow_single_solution:
            raise ValueError(
                "`num_solutions` is 1, but two solutions have to agree. Set `allow_single_solution`, or raise it."
            )
        if not 0 <= self.max_disagreement <= 1:
            raise ValueError(f"`max_disagreement` is {self.max_disagreement}, but must be in [0, 1].")
        if not self.max_seconds > 0:
            raise ValueError(f"`max_seconds` is {self.max_seconds}, but must be a number of seconds above 0.")


def augment_problems(
    problems: Iterable[Mapping[str, Any]],
    runner: Runner,
    *,
    settings: AugmentationSettings | None = None,
    sources: Sequence[InputSource] = (MutatedInputs(),),
    wrong_programs: Mapping[str, Sequence[str]] | None = None,
    num_workers: int = 1,
) -> Iterator[AugmentedProblem]:
    """
    Give problems more tests.

    Each source makes inputs; those on which all reference solutions agree, twice, become candidates; and of these, the tests are kept
    that kill the most mutants of the solutions. The original tests are always kept. A problem that cannot be augmented is reported
    with the reason, and never ends the run.

    Args:
        problems (`Iterable[Mapping]`): Rows with `prompt`, `tests`, `solutions` and `problem_id`, as of [`load_benchmark`].
        runner ([`~execution.Runner`]): Runs all programs. It has to call `Program.checker` in this process, as
            [`~execution.LocalRunner`] does.
        settings ([`AugmentationSettings`], *optional*): Numbers and limits.
        sources (`Sequence[InputSource]`, *optional*): Sources of inputs. Defaults to mutation.
        wrong_programs (`Mapping[str, Sequence[str]]`, *optional*): Wrong programs by `problem_id`, which the tests should kill too.
        num_workers (`int`, *optional*, defaults to `1`): Problems at a time.

    Yields:
        [`AugmentedProblem`]: The next problem, in the order of `problems`.

    Raises:
        ValueError: If `num_workers` is below 1.
    """
    if num_workers < 1:
        raise ValueError(f"`num_workers` is {num_workers}, but must be at least 1.")
    return _augment_all(
        problems, runner, settings or AugmentationSettings(), sources, wrong_programs or {}, num_workers
    )


def _augment_all(
    problems: Iterable[Mapping[str, Any]],
    runner: Runner,
    settings: AugmentationSettings,
    sources: Sequence[InputSource],
    wrong_programs: Mapping[str, Sequence[str]],
    num_workers: int,
) -> Iterator[AugmentedProblem]:
    stoppable = StoppableRunner(runner)
    waiting: list[Future[AugmentedProblem]] = []
    with ThreadPoolExecutor(num_workers, thread_name_prefix="trl-rltf augment") as executor:
        try:
            for index, problem in enumerate(problems):
                name = str(problem.get("problem_id", index))
                wrong = wrong_programs.get(name, ())
                waiting.append(executor.submit(augment_problem, problem, name, stoppable, settings, sources, wrong))
                if len(waiting) >= _AHEAD * num_workers:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            stoppable.stop()
            for future in waiting:
                future.cancel()


class _NothingToAdd(Exception):
    """A problem is left alone."""

    def __init__(self, reason: LeftAlone, detail: str, **counts: Any):
        super().__init__(detail)
        self.reason, self.detail, self.counts = reason, detail, counts


def augment_problem(
    problem: Mapping[str, Any],
    problem_id: str,
    runner: Runner,
    settings: AugmentationSettings,
    sources: Sequence[InputSource],
    wrong_programs: Sequence[str] = (),
) -> AugmentedProblem:
    """
    Give one problem more tests, see [`augment_problems`].

    Args:
        problem (`Mapping[str, Any]`): The row.
        problem_id (`str`): Name of the problem.
        runner ([`~execution.Runner`]): Runs all programs.
        settings ([`AugmentationSettings`]): Numbers and limits.
        sources (`Sequence[InputSource]`): Sources of inputs.
        wrong_programs (`Sequence[str]`, *optional*): Wrong programs.

    Returns:
        [`AugmentedProblem`]: The result.
    """
    began = time.perf_counter()
    text = problem["tests"] if isinstance(problem["tests"], str) else dump_json(problem["tests"])
    num_tests = 0
    try:
        try:
            seen = read_seen_tests(problem["tests"])
            num_tests = seen.num_tests
        except CannotAugment as error:
            num_tests = len(parse_tests(text).cases)
            raise _NothingToAdd(LeftAlone.UNKNOWN_INPUTS, str(error)) from error
        except ValueError as error:
            raise _NothingToAdd(LeftAlone.MALFORMED, str(error)) from error
        return _augment(problem, problem_id, seen, runner, settings, sources, wrong_programs, began)
    except _NothingToAdd as error:
        reason, detail, counts = error.reason, error.detail, error.counts
    except GraderFailed:
        reason, detail, counts = LeftAlone.NOT_GRADABLE, "the sandbox failed", {}
    seconds = time.perf_counter() - began
    originals = [ORIGINAL] * num_tests
    return AugmentedProblem(problem_id, text, originals, left_alone=reason, detail=detail, seconds=seconds, **counts)


def _augment(
    problem: Mapping[str, Any],
    problem_id: str,
    seen: SeenTests,
    runner: Runner,
    settings: AugmentationSettings,
    sources: Sequence[InputSource],
    wrong_programs: Sequence[str],
    began: float,
) -> AugmentedProblem:
    limits = problem_limits(problem)
    solutions = _solutions(problem, runner, settings, limits)
    seed = f"{settings.seed} {problem_id}"
    limits = {**limits, "timeout": settings.max_seconds}
    inputs, names, notes = _inputs(problem, seen, settings, sources, seed)
    counts: dict[str, Any] = {"num_solutions": len(solutions), "inputs": dict(Counter(names)), "notes": notes}
    if not inputs:
        raise _NothingToAdd(LeftAlone.NO_INPUTS, "no source made a new input", **counts)
    agreed = find_agreement(solutions, seen, inputs, runner, limits, strict_comparison=settings.strict_comparison)
    counts["dropped"] = dict(agreed.dropped)
    is_often = agreed.dropped.get("disagreement", 0) >= _MIN_DISAGREEMENTS
    if is_often and agreed.disagreement > settings.max_disagreement:
        detail = f"the solutions disagree on {agreed.dropped['disagreement']} of {len(inputs)} inputs"
        raise _NothingToAdd(LeftAlone.SEVERAL_ANSWERS, detail, **counts)
    if not agreed.pairs:
        raise _NothingToAdd(LeftAlone.NO_AGREEMENT, f"none of {len(inputs)} inputs has an agreed answer", **counts)
    mutants = _mutants(solutions, settings.num_mutants, seed)
    wrong = distinct_programs(wrong_programs)
    surviving = [find_survivors(mutants, seen, runner, limits), find_survivors(wrong, seen, runner, limits)]
    rows = failed_tests([*surviving[0], *surviving[1]], seen.only(agreed.pairs), runner, limits)
    kills = [{program for program, failed in enumerate(rows) if test in failed} for test in range(len(agreed.pairs))]
    chosen, refused = _choose(solutions, seen, agreed.pairs, kills, settings.num_tests, runner, limits)
    counts["dropped"] = {**agreed.dropped, **({"flaky": refused} if refused else {})}
    if not chosen:
        raise _NothingToAdd(LeftAlone.NO_AGREEMENT, "the solutions fail the tests made of their answers", **counts)
    is_killed = [not failed.isdisjoint(chosen) for failed in rows]
    num_surviving = len(surviving[0])
    return AugmentedProblem(
        problem_id,
        dump_json(seen.extended([agreed.pairs[test] for test in chosen])),
        [*[ORIGINAL] * seen.num_tests, *(names[agreed.chosen[test]] for test in chosen)],
        num_mutants=len(mutants),
        killed_before=len(mutants) - num_surviving,
        killed_after=len(mutants) - num_surviving + sum(is_killed[:num_surviving]),
        num_wrong=len(wrong),
        wrong_before=len(wrong) - len(surviving[1]),
        wrong_after=len(wrong) - len(surviving[1]) + sum(is_killed[num_surviving:]),
        seconds=time.perf_counter() - began,
        **counts,
    )


def _choose(
    solutions: Sequence[str],
    seen: SeenTests,
    pairs: Sequence[tuple[Any, Any]],
    kills: Sequence[set[int]],
    num_tests: int,
    runner: Runner,
    limits: ProblemLimits,
) -> tuple[list[int], int]:
    """
    Choose tests that the solutions pass in a second run, in their final form.

    Returns:
        `tuple[list[int], int]`: Indices of the tests, and the number of tests that a solution did not pass again.
    """
    usable = list(range(len(pairs)))
    accepted: set[int] = set()
    while True:
        answers = [text_of(pairs[test][1]) for test in usable]
        chosen = [usable[place] for place in choose_tests([kills[test] for test in usable], answers, num_tests)]
        unknown = [test for test in chosen if test not in accepted]
        if not unknown:
            return chosen, len(pairs) - len(usable)
        failed = failed_tests(solutions, seen.only([pairs[test] for test in unknown]), runner, limits)
        refused = {unknown[place] for places in failed for place in places}
        accepted.update(unknown)
        usable = [test for test in usable if test not in refused]


def _solutions(
    problem: Mapping[str, Any], runner: Runner, settings: AugmentationSettings, limits: ProblemLimits
) -> list[str]:
    given = problem.get("solutions") or ()
    if not given:
        raise _NothingToAdd(LeftAlone.NO_SOLUTION, "there is no reference solution")
    distinct = distinct_programs(given)
    if len(distinct) < 2 and not settings.allow_single_solution:
        raise _NothingToAdd(LeftAlone.ONE_SOLUTION, f"{len(distinct)} different solution, and two have to agree")
    tried = distinct[: _TRIED_PER_SOLUTION * settings.num_solutions]
    outcomes = grade_programs(tried, problem["tests"], runner, limits)
    solutions = [source for source, outcome in zip(tried, outcomes, strict=True) if outcome is Outcome.PASS]
    num_other = outcomes.count(Outcome.FAILURE)
    if not solutions:
        raise _NothingToAdd(LeftAlone.NO_SOLUTION_PASSES, f"none of {len(tried)} solutions passes the tests")
    if num_other:
        detail = f"{num_other} of {len(tried)} reference solutions give another answer to an original test"
        raise _NothingToAdd(LeftAlone.SEVERAL_ANSWERS, detail)
    if len(solutions) < 2 and not settings.allow_single_solution:
        raise _NothingToAdd(LeftAlone.ONE_SOLUTION, f"one of {len(tried)} solutions passes, and two have to agree")
    return solutions[: settings.num_solutions]


def _inputs(
    problem: Mapping[str, Any],
    seen: SeenTests,
    settings: AugmentationSettings,
    sources: Sequence[InputSource],
    seed: str,
) -> tuple[list[Any], list[str], list[str]]:
    """Different inputs, the name of the source of each, and what went wrong."""
    found: dict[str, tuple[Any, str]] = {}
    notes: list[str] = []
    for source in sources:
        try:
            made = source.make_inputs(ProblemInputs(problem, seen, seed), settings.num_inputs)
        except _UNUSUAL as error:
            notes.append(f"{source.name}: {type(error).__name__}: {error}")
            continue
        notes += [f"{source.name}: {note}" for note in made.notes]
        num_refused = 0
        for item in made.inputs:
            try:
                valid = seen.input_of(item)
            except CannotAugment:
                num_refused += 1
                continue
            found.setdefault(text_of(valid), (valid, source.name))
        if num_refused:
            notes.append(f"{source.name}: {num_refused} inputs cannot be written as tests")
    known = set(map(text_of, seen.inputs))
    kept = [pair for key, pair in found.items() if key not in known]
    return [item for item, _ in kept], [name for _, name in kept], notes


def _mutants(solutions: Sequence[str], num_mutants: int, seed: str) -> list[str]:
    """Mutants of the first solutions, as many of each."""
    chosen = solutions[:_MUTATED_SOLUTIONS]
    share = -(-num_mutants // len(chosen))
    sources = [mutant.source for source in chosen for mutant in make_mutants(source, share, seed=seed)]
    return list(dict.fromkeys(sources))[:num_mutants]
