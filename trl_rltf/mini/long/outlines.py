"""Draw the graphs of problems, with their tests."""

from __future__ import annotations

import hashlib
import itertools
import random
from dataclasses import dataclass
from typing import Any

from .graph import Graph, draw_graph
from .inputs import draw_input, draw_profile
from .program import reading_cost, stage_costs
from .stage import ValueType


_TEST_SHARE = 5  # one in five compositions is for testing
NUM_HIDDEN_TESTS = 20
MIN_STATEMENTS, MAX_STATEMENTS = 4, 40
_CALL_SHARE = 0.25
_LENGTH_SHARE = 0.5  # share of the problems that give the length of a list before it
# Statements at quantiles of the draws. Some are refused, more often the long ones; what is left has the quantiles of APPS.
_QUANTILES = ((0.0, 4), (0.1, 7), (0.5, 21), (0.9, 31), (1.0, 36))
_LEVELS = ((12, "introductory"), (24, "interview"), (MAX_STATEMENTS + 1, "competition"))
# Over the example and the tests: different values of a stage, and cases in which it differs from its argument.
_MIN_DIFFERENT, _MIN_CHANGED = 4, 7


@dataclass(frozen=True, slots=True)
class Outline:
    """
    A problem before its solutions are written.

    Args:
        graph (`Graph`): Its meaning.
        statements (`int`): Number of statements that its programs should have.
        is_call (`bool`): Whether its tests call a function.
        has_length (`bool`): Whether the length of a list is given.
        example (`tuple`): Inputs and answers of the example in the statement.
        tests (`tuple`): Inputs and answers of the tests, `NUM_HIDDEN_TESTS` of them.
        key (`str`): Text from which all that is random about the problem follows.
    """

    graph: Graph
    statements: int
    is_call: bool
    has_length: bool
    example: tuple[list[Any], list[Any]]
    tests: tuple[tuple[list[Any], list[Any]], ...]
    key: str

    @property
    def name(self) -> str:
        """Identifier: the difficulty, and a digest of the graph."""
        return f"{self.difficulty}-{hash_number(repr((self.graph, self.is_call))):016x}"

    @property
    def difficulty(self) -> str:
        """Level of its number of statements."""
        return next(level for limit, level in _LEVELS if self.statements < limit)


def draw_outline(key: str, split: str, num_statements: int | None, seed: int) -> Outline | None:
    """
    Draw a problem.

    Args:
        key (`str`): Text from which all that is random follows.
        split (`str`): Its split.
        num_statements (`int` or `None`): Number of statements; `None` draws it.
        seed (`int`): Seed of the assignment of compositions to splits.

    Returns:
        `Outline` or `None`: The problem, unless it is of the other split, or its answers say too little.
    """
    rng = random.Random(key)
    statements = _draw_num_statements(rng) if num_statements is None else num_statements
    is_call, has_length = rng.random() < _CALL_SHARE, rng.random() < _LENGTH_SHARE

    def overhead(inputs: tuple[ValueType, ...]) -> float:
        return reading_cost(inputs, is_call) + (0 if is_call or not has_length else inputs.count("list"))

    graph = draw_graph(rng, statements, stage_costs(), overhead)
    if _split_of(graph, seed) != split or (is_call and len(graph.printed) > 1):
        return None
    examples = _draw_examples(graph, rng)
    if examples is None:
        return None
    return Outline(graph, statements, is_call, has_length, examples[0], tuple(examples[1:]), key)


def hash_number(text: str) -> int:
    """A number that depends on nothing but the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def _split_of(graph: Graph, seed: int) -> str:
    """The split of a composition; constants are not part of it."""
    composition = [(node.stage, node.arguments) for node in graph.nodes]
    return "test" if hash_number(f"{seed}-{graph.inputs}-{composition}") % _TEST_SHARE == 0 else "train"


def _draw_num_statements(rng: random.Random) -> int:
    share = rng.random()
    for (low, start), (high, end) in itertools.pairwise(_QUANTILES):
        if share <= high:
            return round(start + (share - low) / (high - low) * (end - start))
    return _QUANTILES[-1][1]


def _draw_examples(graph: Graph, rng: random.Random) -> list[tuple[list[Any], list[Any]]] | None:
    """The example of the statement and the tests, unless they say too little."""
    found: dict[str, list[Any]] = {}
    for _ in range(4 * NUM_HIDDEN_TESTS):
        profile = draw_profile(rng) if found else "ordinary"
        inputs = [draw_input(value_type, profile, rng) for value_type in graph.inputs]
        values = graph.compute(inputs)
        # An example in which a list is empty shows little, and has an empty line.
        if found or all(answer not in ([], "") for answer in graph.answers(values)):
            found.setdefault(repr(inputs), values)
        if len(found) == NUM_HIDDEN_TESTS + 1:
            break
    rows = list(found.values())
    if len(rows) <= NUM_HIDDEN_TESTS or not _is_informative(graph, rows):
        return None
    return [(values[: len(graph.inputs)], graph.answers(values)) for values in rows]


def _is_informative(graph: Graph, rows: list[list[Any]]) -> bool:
    """Whether no constant is often right, and each stage matters."""
    answers = [repr(graph.answers(values)) for values in rows]
    if answers[0] == answers[1] or max(map(answers.count, answers)) > len(answers) // 2:
        return False
    for position, node in enumerate(graph.nodes, len(graph.inputs)):
        if len({repr(values[position]) for values in rows}) < _MIN_DIFFERENT:
            return False
        if sum(values[position] != values[node.arguments[0]] for values in rows) < _MIN_CHANGED:
            return False
    return True
