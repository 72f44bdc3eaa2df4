"""Run the reference solutions, the empty program and cheats of each problem."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...execution import Program, Runner
from ...execution.limits import problem_limits
from .cheats import Cheats, make_cheats
from .results import CheckedProblem, CheckedProgram


def check_problems(
    problems: Iterable[Mapping[str, Any]],
    runner: Runner,
    *,
    num_solutions: int = 10,
    num_runs: int = 2,
    problems_per_call: int = 16,
) -> Iterator[CheckedProblem]:
    """
    Run the programs that show whether the tests of problems are right.

    Args:
        problems (`Iterable[Mapping]`): Rows with `prompt`, `tests`, `solutions` and `problem_id`, as of [`load_benchmark`].
        runner ([`~execution.Runner`]): Grades the programs.
        num_solutions (`int`, *optional*, defaults to `10`): Maximum number of reference solutions per problem, from the first.
        num_runs (`int`, *optional*, defaults to `2`): Number of runs of each program. Runs whose verdicts differ show that a
            problem is flaky.
        problems_per_call (`int`, *optional*, defaults to `16`): Number of problems that the runner gets at a time.

    Yields:
        [`CheckedProblem`]: The next problem.

    Raises:
        ValueError: If a number is below 1, or `num_solutions` below 0.
    """
    for name, value, least in (
        ("num_solutions", num_solutions, 0),
        ("num_runs", num_runs, 1),
        ("problems_per_call", problems_per_call, 1),
    ):
        if value < least:
            raise ValueError(f"`{name}` is {value}, but must be at least {least}.")
    return _check(iter(problems), runner, num_solutions, num_runs, problems_per_call)


def _check(
    problems: Iterator[Mapping[str, Any]], runner: Runner, num_solutions: int, num_runs: int, problems_per_call: int
) -> Iterator[CheckedProblem]:
    for start in itertools.count(0, problems_per_call):
        part = list(itertools.islice(problems, problems_per_call))
        if not part:
            return
        cheats = [_cheats(problem) for problem in part]
        sources = [_programs(problem, found, num_solutions) for problem, found in zip(part, cheats, strict=True)]
        programs = [
            Program(source, problem["tests"], **problem_limits(problem))
            for problem, named in zip(part, sources, strict=True)
            for source in named.values()
        ]
        # A runner grades equal programs of one call once, so that each run is a call.
        reports = iter(zip(*(runner.run(programs) for _ in range(num_runs)), strict=True))
        for index, (problem, found, named) in enumerate(zip(part, cheats, sources, strict=True), start=start):
            problem_id = str(problem.get("problem_id", index))
            if isinstance(found, ValueError):
                yield CheckedProblem(problem_id, [], [], error=str(found))
                continue
            checked = [
                CheckedProgram.from_reports(name, "" if _is_reference(name) else source, next(reports))
                for name, source in named.items()
            ]
            references = [program for program in checked if _is_reference(program.name)]
            others = checked[len(references) :]
            yield CheckedProblem(problem_id, references, others, has_one_answer=found.has_one_answer)


def _cheats(problem: Mapping[str, Any]) -> Cheats | ValueError:
    """Cheats of a problem, or the error of malformed tests."""
    try:
        return make_cheats(problem)
    except ValueError as error:
        return error


def _programs(problem: Mapping[str, Any], cheats: Cheats | ValueError, num_solutions: int) -> dict[str, str]:
    """Programs of a problem by their names; none if its tests are malformed."""
    if isinstance(cheats, ValueError):
        return {}
    solutions = list(problem.get("solutions") or ())[:num_solutions]
    references = {f"reference {index}": source for index, source in enumerate(solutions)}
    return {**references, "empty": "", **cheats.programs}


def _is_reference(name: str) -> bool:
    return name.startswith("reference ")
