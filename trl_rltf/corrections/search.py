"""
Find the longest beginning of a failing program that can be continued rightly.

What decides is a run of the tests, so that a correction is right by the same grader as any other program.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..completions.python_text import parse_program
from ..execution import Outcome, Program, Runner
from .splices import Beginning, beginnings, continuations


@dataclass(frozen=True, slots=True)
class FailedProgram:
    """
    A program that fails its tests, and right programs of the same problem.

    Args:
        source (`str`): The program.
        tests (`dict` or `str`): Unit tests of the problem.
        donors (`Sequence[str]`): Right programs: passing samples, reference solutions. Earlier ones are preferred.
        limits (`dict`, *optional*): Limits of the problem, `timeout` and `memory_limit` of [`~execution.Program`].

    Raises:
        TypeError: If `donors` is one text, which would be read as a list of characters.
    """

    source: str
    tests: Any
    donors: Sequence[str]
    limits: dict[str, Any] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.donors, str):
            raise TypeError("`donors` is one text, but must be a list of programs: `donors=[program]`.")


@dataclass(frozen=True, slots=True)
class Correction:
    """
    A right program that begins as a failing one.

    Args:
        beginning (`str`): Beginning of the failing program, whole lines.
        continuation (`str`): Rest of the right program.
        donor (`int`): Index of the donor that the rest comes from.
    """

    beginning: str
    continuation: str
    donor: int

    @property
    def source(self) -> str:
        """The right program."""
        return self.beginning + self.continuation


def find_corrections(
    programs: Sequence[FailedProgram], runner: Runner, *, max_candidates: int = 2000
) -> list[Correction | None]:
    """
    Find a correction of each program.

    Of the beginnings that a continuation passes all tests with, the longest is chosen whose last decision matters: the
    beginning has a statement other than a declaration, and without this statement the tests fail. A correction that keeps nothing
    but the head of a function would be the solution of another program.

    Args:
        programs (`Sequence[FailedProgram]`): The programs. They are not run themselves: leave out those that pass.
        runner ([`~execution.Runner`]): Runs the tests.
        max_candidates (`int`, *optional*, defaults to `2000`): Maximum number of programs to run for each failing program.

    Returns:
        `list[Correction | None]`: A correction per program; `None` where there is none, or the program does not compile.
    """
    searches = [_Search(program, max_candidates) for program in programs]
    while open_searches := [search for search in searches if search.advance()]:
        candidates = [candidate for search in open_searches for candidate in search.candidates]
        reports = iter(
            runner.run([Program(one.source, one.program.tests, **one.program.limits) for one in candidates])
        )
        passing = {id(one) for one in candidates if next(reports).outcome is Outcome.PASS}
        for search in open_searches:
            search.found = [one for one in search.candidates if id(one) in passing]
        _keep_those_that_matter(open_searches, runner)
    return [search.correction for search in searches]


@dataclass(slots=True)
class _Candidate:
    program: FailedProgram
    beginning: Beginning
    continuation: str
    donor: int

    @property
    def source(self) -> str:
        return self.beginning.text + self.continuation


class _Search:
    """The search for one program, one beginning at a time."""

    def __init__(self, program: FailedProgram, max_candidates: int):
        self.program = program
        self.correction: Correction | None = None
        self.candidates: list[_Candidate] = []
        self.found: list[_Candidate] = []
        self._beginnings = iter(beginnings(program.source))
        self._continuations = [list(dict.fromkeys(continuations(donor, program.source))) for donor in program.donors]
        self._num_left = max_candidates

    def advance(self) -> bool:
        """Go to the next beginning that has candidates; return whether there is one."""
        if self.correction is not None:
            return False
        for beginning in self._beginnings:
            if beginning.without_last is None or self._num_left <= 0:
                return False  # shorter beginnings have no decision either
            self.candidates = list(self._compiled(beginning))[: self._num_left]
            self._num_left -= len(self.candidates)
            if self.candidates:
                return True
        return False

    def _compiled(self, beginning: Beginning) -> Iterator[_Candidate]:
        seen = set()
        for donor, ends in enumerate(self._continuations):
            for end in ends:
                source = beginning.text + end
                if source not in seen and parse_program(source) is not None:
                    seen.add(source)
                    yield _Candidate(self.program, beginning, end, donor)


def _keep_those_that_matter(searches: Sequence[_Search], runner: Runner) -> None:
    """Accept the first candidate of each search whose last decision matters."""
    found = [(search, candidate) for search in searches for candidate in search.found]
    shortened = [
        Program(f"{one.beginning.without_last}{one.continuation}", one.program.tests, **one.program.limits)
        for _, one in found
    ]
    for (search, one), report in zip(found, runner.run(shortened), strict=True):
        if search.correction is None and report.outcome is not Outcome.PASS:
            search.correction = Correction(one.beginning.text, one.continuation, one.donor)
