"""Choose tests by their source: those of the benchmark, or those that were added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..execution.wire.plain_values import dump_json, load_json
from .augmentation.results import ORIGINAL, AugmentedProblem


SOURCES_COLUMN = "test_sources"


def with_new_tests(problem: Mapping[str, Any], result: AugmentedProblem) -> dict[str, Any]:
    """
    Put the new tests into a row.

    Args:
        problem (`Mapping[str, Any]`): The row.
        result ([`AugmentedProblem`]): Its new tests.

    Returns:
        `dict[str, Any]`: The row with other `tests`, and the column `test_sources`: the source of each test.
    """
    return {**problem, "tests": result.tests, SOURCES_COLUMN: list(result.test_sources)}


def select_tests(problem: Mapping[str, Any], source: Literal["original", "new", "both"]) -> dict[str, Any] | None:
    """
    Keep the tests from one source.

    Args:
        problem (`Mapping[str, Any]`): A row of `trl-rltf augment-tests`. All tests of a row without `test_sources` are original.
        source (`str`): `"original"` for the tests of the benchmark, `"new"` for those that were added, or `"both"`.

    Returns:
        `dict[str, Any]` or `None`: The row with these tests, or `None` if there are none.

    Raises:
        ValueError: If the column has another number of items than there are tests.
    """
    sources = problem.get(SOURCES_COLUMN)
    if sources is None:
        return None if source == "new" else dict(problem)
    tests = load_json(problem["tests"])
    names = ("asserts",) if "asserts" in tests else ("inputs", "outputs")
    if any(len(tests[name]) != len(sources) for name in names):
        raise ValueError(
            f"problem {problem.get('problem_id')}: `{SOURCES_COLUMN}` has {len(sources)} items, but there are {len(tests[names[0]])} "
            "tests. Make the dataset again with `trl-rltf augment-tests`."
        )
    if source == "both":
        return dict(problem)
    kept = [index for index, name in enumerate(sources) if (name == ORIGINAL) == (source == "original")]
    if not kept:
        return None
    chosen = {**tests, **{name: [tests[name][index] for index in kept] for name in names}}
    return {**problem, "tests": dump_json(chosen), SOURCES_COLUMN: [sources[index] for index in kept]}
