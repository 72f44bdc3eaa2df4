"""MiniAPPS: problems in the layout of APPS that a tiny model can learn."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from datasets import Dataset

from ..data.problems import make_problem, parse_difficulties, to_dataset
from ..data.prompts import apps_prompt


@dataclass(frozen=True, slots=True)
class _Step:
    """
    One operation of a problem.

    Args:
        text (`str`): Its words in the statement.
        code (`str`): Python expression of the solution, over `x` (one number) or `v` (the list).
        apply (`Callable`): The operation itself, for the expected outputs.
    """

    text: str
    code: str
    apply: Callable[[Any], Any]


_FILTERS = (
    _Step("keep the even ones", "x % 2 == 0", lambda x: x % 2 == 0),
    _Step("keep the odd ones", "x % 2 == 1", lambda x: x % 2 == 1),
    _Step("keep the positive ones", "x > 0", lambda x: x > 0),
    _Step("keep the negative ones", "x < 0", lambda x: x < 0),
    _Step("keep those above 5", "x > 5", lambda x: x > 5),
    _Step("keep those below 3", "x < 3", lambda x: x < 3),
    _Step("keep the multiples of 3", "x % 3 == 0", lambda x: x % 3 == 0),
    _Step("drop the zeros", "x != 0", lambda x: x != 0),
)
_MAPS = (
    _Step("square each", "x * x", lambda x: x * x),
    _Step("double each", "2 * x", lambda x: 2 * x),
    _Step("add 1 to each", "x + 1", lambda x: x + 1),
    _Step("subtract 3 from each", "x - 3", lambda x: x - 3),
    _Step("negate each", "-x", lambda x: -x),
    _Step("take absolute values", "abs(x)", lambda x: abs(x)),
    _Step("take remainders by 7", "x % 7", lambda x: x % 7),
    _Step("halve each, rounding down", "x // 2", lambda x: x // 2),
)
_REDUCTIONS = (
    _Step("the sum", "sum(v)", sum),
    _Step("how many there are", "len(v)", len),
    _Step("how many different ones there are", "len(set(v))", lambda v: len(set(v))),
    _Step("the largest, or 0", "max(v, default=0)", lambda v: max(v, default=0)),
    _Step("the smallest, or 0", "min(v, default=0)", lambda v: min(v, default=0)),
    _Step("the first, or 0", "v[0] if v else 0", lambda v: v[0] if v else 0),
    _Step("the last, or 0", "v[-1] if v else 0", lambda v: v[-1] if v else 0),
    _Step("the sum of the two largest", "sum(sorted(v)[-2:])", lambda v: sum(sorted(v)[-2:])),
)
_NUM_TESTS = 5
_SPLIT_SIZES = {"train": 416, "test": 96}
_CALL_SHARE = 0.25
# Share of each level in a split; the rounding error goes to the last level.
_LEVEL_SHARES = {"introductory": 0.2, "interview": 0.5, "competition": 0.3}

# An optional filter, the maps in order, and the reduction, as positions in the tables above.
_Composition = tuple[int | None, tuple[int, ...], int]


def make_mini_apps(
    split: str = "train",
    *,
    num_problems: int | None = None,
    seed: int = 0,
    difficulties: Sequence[str] | None = None,
) -> Dataset:
    """
    Make MiniAPPS problems, each a composition of operations on a list of integers.

    No composition of one split is in the other.

    Args:
        split (`str`, *optional*, defaults to `"train"`):
            `"train"` or `"test"`.
        num_problems (`int`, *optional*):
            Number of problems. Defaults to 416 for `"train"` and 96 for `"test"`.
        seed (`int`, *optional*, defaults to `0`):
            Seed of the assignment of compositions to splits, and of the numbers in the tests.
        difficulties (`Sequence[str]`, *optional*):
            Levels to keep: `"introductory"` (one operation and a reduction), `"interview"` (two operations), `"competition"`
            (three operations). Defaults to all.

    Returns:
        [`~datasets.Dataset`]: Columns `prompt`, `tests`, `solutions` (three per problem), `problem_id`, `difficulty` and
        `starter_code`.

    Raises:
        ValueError: If the split or a difficulty is unknown, or there are too few compositions.
    """
    if split not in _SPLIT_SIZES:
        raise ValueError(f"`split` is {split!r}, but must be 'train' or 'test'.")
    wanted = parse_difficulties(difficulties)
    num_problems = _SPLIT_SIZES[split] if num_problems is None else num_problems
    if num_problems < 1:
        raise ValueError(f"`num_problems` is {num_problems}, but must be at least 1.")
    shares = {level: _LEVEL_SHARES[level] for level in wanted}
    counts = {level: int(num_problems * share / sum(shares.values())) for level, share in shares.items()}
    counts[wanted[-1]] += num_problems - sum(counts.values())
    problems = []
    for level in wanted:
        available = _compositions(level, split, seed)
        if counts[level] > len(available):
            raise ValueError(
                f"MiniAPPS has {len(available)} {level} problems in split {split!r}, but {counts[level]} were "
                "requested. Request fewer problems, or more difficulties."
            )
        problems += [_problem(composition, level, split, seed) for composition in available[: counts[level]]]
    random.Random(seed).shuffle(problems)
    return to_dataset(problems)


def _compositions(level: str, split: str, seed: int) -> list[_Composition]:
    """Shuffled compositions of a level in a split; a fifth of them is for testing."""
    reductions = range(len(_REDUCTIONS))
    filters, maps = range(len(_FILTERS)), range(len(_MAPS))
    found: list[_Composition]
    if level == "introductory":
        found = [(f, (), r) for f, r in itertools.product(filters, reductions)]
        found += [(None, (m,), r) for m, r in itertools.product(maps, reductions)]
    elif level == "interview":
        found = [(f, (m,), r) for f, m, r in itertools.product(filters, maps, reductions)]
    else:
        found = [
            (f, pair, r) for f, pair, r in itertools.product(filters, itertools.permutations(maps, 2), reductions)
        ]
    random.Random(f"{seed}-{level}").shuffle(found)
    cut = len(found) // 5
    return found[:cut] if split == "test" else found[cut:]


def _problem(composition: _Composition, level: str, split: str, seed: int) -> dict[str, Any]:
    chosen, maps, reduction = composition
    name = f"{level}-{'n' if chosen is None else chosen}-{''.join(map(str, maps)) or 'n'}-{reduction}"
    rng = random.Random(f"{seed}-{name}")
    call_based = rng.random() < _CALL_SHARE
    steps = [] if chosen is None else [_FILTERS[chosen].text]
    steps += [_MAPS[index].text for index in maps]
    task = ", ".join(steps)
    task = task[0].upper() + task[1:]
    result = _REDUCTIONS[reduction].text
    if call_based:
        statement = f"Write solve(v) for a list of integers. {task}. Return {result}."
    else:
        statement = f"Read a line of integers. {task}. Print {result}."
    inputs, outputs = _examples(composition, rng)
    tests: dict[str, Any]
    if call_based:
        tests = {"fn_name": "solve", "inputs": [[numbers] for numbers in inputs], "outputs": outputs}
    else:
        lines = [" ".join(map(str, numbers)) + "\n" for numbers in inputs]
        tests = {"inputs": lines, "outputs": [f"{output}\n" for output in outputs]}
    return make_problem(
        prompt=apps_prompt(statement, call_based=call_based),
        tests=tests,
        problem_id=name,
        where=f"MiniAPPS, split {split!r}, problem {name}",
        solutions=_solutions(composition, call_based),
        difficulty=level,
    )


def _examples(composition: _Composition, rng: random.Random) -> tuple[list[list[int]], list[int]]:
    """Inputs and outputs of tests that a constant does not pass."""
    while True:
        inputs = [[rng.randint(-9, 20) for _ in range(rng.randint(3, 8))] for _ in range(_NUM_TESTS)]
        outputs = [_answer(composition, numbers) for numbers in inputs]
        if len(set(outputs)) > 2:
            return inputs, outputs


def _answer(composition: _Composition, numbers: list[int]) -> int:
    chosen, maps, reduction = composition
    if chosen is not None:
        numbers = [x for x in numbers if _FILTERS[chosen].apply(x)]
    for index in maps:
        numbers = [_MAPS[index].apply(x) for x in numbers]
    return int(_REDUCTIONS[reduction].apply(numbers))


def _solutions(composition: _Composition, call_based: bool) -> list[str]:
    """The program as comprehensions, as a loop, and with `filter` and `map`."""
    chosen, maps, reduction = composition
    condition = None if chosen is None else _FILTERS[chosen].code
    expressions = [_MAPS[index].code for index in maps]
    result = _REDUCTIONS[reduction].code

    comprehensions = [] if condition is None else [f"v = [x for x in v if {condition}]"]
    comprehensions += [f"v = [{expression} for x in v]" for expression in expressions]

    indent = "    " if condition is None else "        "
    loop = ["r = []", "for x in v:"] + ([] if condition is None else [f"    if {condition}:"])
    loop += [f"{indent}x = {expression}" for expression in expressions]
    loop += [f"{indent}r.append(x)", "v = r"]

    functions = [] if condition is None else [f"v = filter(lambda x: {condition}, v)"]
    functions += [f"v = map(lambda x: {expression}, v)" for expression in expressions]
    functions += ["v = list(v)"]

    return [_program(body, result, call_based) for body in (comprehensions, loop, functions)]


def _program(body: list[str], result: str, call_based: bool) -> str:
    if call_based:
        return "\n".join(["def solve(v):", *(f"    {line}" for line in body), f"    return {result}", ""])
    return "\n".join(["v = list(map(int, input().split()))", *body, f"print({result})", ""])
