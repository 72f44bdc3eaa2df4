"""Hold what became of the tests of a problem, and why others were left alone."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Self


ORIGINAL = "original"  # name of the tests that were there, in the column `test_sources`


class LeftAlone(enum.StrEnum):
    """Why a problem got no new tests."""

    MALFORMED = "malformed"
    UNKNOWN_INPUTS = "unknown_inputs"
    NO_SOLUTION = "no_solution"
    NO_SOLUTION_PASSES = "no_solution_passes"
    ONE_SOLUTION = "one_solution"
    NO_INPUTS = "no_inputs"
    NO_AGREEMENT = "no_agreement"
    SEVERAL_ANSWERS = "several_answers"
    NOT_GRADABLE = "not_gradable"


@dataclass(frozen=True)
class AugmentedProblem:
    """
    A problem with its new tests.

    Args:
        problem_id (`str`): Name of the problem.
        tests (`str`): All tests as JSON text; the original ones come first.
        test_sources (`list[str]`): Source of each test: `"original"`, `"mutation"`, `"hypothesis"` or `"model"`.
        left_alone (`str`, *optional*, defaults to `""`): The [`LeftAlone`] reason of a problem without new tests.
        detail (`str`, *optional*, defaults to `""`): A sentence on that reason.
        num_solutions (`int`, *optional*, defaults to `0`): Number of reference solutions that took part.
        num_mutants (`int`, *optional*, defaults to `0`): Number of mutants of them.
        killed_before (`int`, *optional*, defaults to `0`): Mutants that fail the original tests.
        killed_after (`int`, *optional*, defaults to `0`): Mutants that fail all tests together.
        num_wrong (`int`, *optional*, defaults to `0`): Number of wrong programs that were given.
        wrong_before (`int`, *optional*, defaults to `0`): Wrong programs that fail the original tests.
        wrong_after (`int`, *optional*, defaults to `0`): Wrong programs that fail all tests together.
        inputs (`dict[str, int]`, *optional*): Number of inputs from each source.
        dropped (`dict[str, int]`, *optional*): Number of inputs that were dropped, by reason: `"error"`, `"disagreement"`,
            `"flaky"` and `"not_expressible"`.
        notes (`list[str]`, *optional*): What went wrong in the sources of inputs.
        seconds (`float`, *optional*, defaults to `0.0`): Elapsed seconds.
    """

    problem_id: str
    tests: str
    test_sources: list[str]
    _: KW_ONLY
    left_alone: str = ""
    detail: str = ""
    num_solutions: int = 0
    num_mutants: int = 0
    killed_before: int = 0
    killed_after: int = 0
    num_wrong: int = 0
    wrong_before: int = 0
    wrong_after: int = 0
    inputs: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """
        Make a result again from `asdict`.

        Args:
            content (`Mapping[str, Any]`): The fields.

        Returns:
            [`AugmentedProblem`]: The result.

        Raises:
            TypeError: If the fields are not those of this class.
        """
        return cls(**content)

    @property
    def num_before(self) -> int:
        """Number of original tests."""
        return self.test_sources.count(ORIGINAL)

    @property
    def num_after(self) -> int:
        """Number of all tests."""
        return len(self.test_sources)

    @property
    def is_gradable(self) -> bool:
        """Whether the sandbox worked."""
        return self.left_alone != LeftAlone.NOT_GRADABLE
