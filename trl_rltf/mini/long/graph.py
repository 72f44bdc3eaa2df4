"""Graphs of named values: draw one, compute it, and write its statement."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .authors import LETTERS
from .stage import OF_A_LIST, PRINTABLE, ValueType
from .stages import STAGES


# Types of the inputs, and how often they are drawn. A grid comes last: its number of lines is not fixed.
_INPUTS: tuple[tuple[tuple[ValueType, ...], int], ...] = (
    (("list",), 8),
    (("list", "number"), 4),
    (("list", "list"), 3),
    (("word",), 3),
    (("word", "list"), 2),
    (("grid",), 3),
    (("list", "grid"), 1),
)
_MAX_PRINTED = 3
_FRESH_SHARE = 0.85  # share of the arguments that no other stage has used
_SHORT_SHARE = 0.2  # weight of a stage of one statement, compared with one that has state
_TRIES = 60  # stages that are drawn before a graph is given up


@dataclass(frozen=True, slots=True)
class Node:
    """
    A value that a stage makes.

    Args:
        stage (`str`): Name of the stage.
        arguments (`tuple[int, ...]`): Positions of the arguments among the values; inputs come first.
        constant (`int`, *optional*): Constant of the stage.
    """

    stage: str
    arguments: tuple[int, ...]
    constant: int | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    """
    A composition of stages: the meaning of a problem.

    Args:
        inputs (`tuple[str, ...]`): Types of the inputs.
        nodes (`tuple[Node, ...]`): Values in the order in which they are made.
    """

    inputs: tuple[ValueType, ...]
    nodes: tuple[Node, ...]

    def type_of(self, position: int) -> ValueType:
        """Type of a value."""
        if position < len(self.inputs):
            return self.inputs[position]
        return STAGES[self.nodes[position - len(self.inputs)].stage].gives

    def list_of(self, position: int) -> int:
        """The list to which positions or an element belong."""
        return self.nodes[position - len(self.inputs)].arguments[0]

    @property
    def printed(self) -> tuple[int, ...]:
        """The values that are not used: the statement asks for them."""
        used = {argument for node in self.nodes for argument in node.arguments}
        return tuple(i for i in range(len(self.inputs) + len(self.nodes)) if i not in used)

    def compute(self, inputs: list[Any]) -> list[Any]:
        """
        Compute all values.

        Args:
            inputs (`list`): Values of the inputs.

        Returns:
            `list`: The inputs and the values of the nodes, in order.
        """
        values = list(inputs)
        for node in self.nodes:
            arguments = []
            for position in node.arguments:
                arguments.append(values[position])
                if self.type_of(position) in OF_A_LIST:
                    arguments.append(values[self.list_of(position)])
            if node.constant is not None:
                arguments.append(node.constant)
            values.append(STAGES[node.stage].compute(*arguments))
        return values

    def answers(self, values: list[Any]) -> list[Any]:
        """The values that are asked for, with positions from 1, among all values."""
        return [
            [place + 1 for place in values[i]] if self.type_of(i) == "positions" else values[i] for i in self.printed
        ]

    def statement(self) -> str:
        """The words of the statement after the description of the inputs."""
        sentences = []
        for position, node in enumerate(self.nodes, len(self.inputs)):
            names: dict[str, Any] = {
                name: LETTERS[argument] for name, argument in zip("ab", node.arguments, strict=False)
            }
            if self.type_of(node.arguments[0]) in OF_A_LIST:
                names["s"] = LETTERS[self.list_of(node.arguments[0])]
            if node.constant is not None:
                names["k"] = node.constant
            sentences.append(f"Let {LETTERS[position]} be {STAGES[node.stage].text.format(**names)}.")
        return " ".join(sentences)


def draw_graph(
    rng: random.Random, budget: float, cost: Mapping[str, float], overhead: Callable[[tuple[ValueType, ...]], float]
) -> Graph:
    """
    Draw a graph whose programs have a given number of statements on average.

    Args:
        rng (`random.Random`): Random number generator.
        budget (`float`): Number of statements.
        cost (`Mapping[str, float]`): Statements of each stage.
        overhead (`Callable`): Number of other statements, for inputs of the given types.

    Returns:
        `Graph`: The graph; each value is used or asked for.
    """
    while True:
        inputs = rng.choices([types for types, _ in _INPUTS], [weight for _, weight in _INPUTS])[0]
        spent = overhead(inputs)
        nodes: list[Node] = []
        for _ in range(_TRIES):
            graph = Graph(inputs, tuple(nodes))
            left = budget - spent - len(graph.printed)
            if nodes and abs(left) <= max(0.6, 0.05 * budget) and _is_complete(graph):
                return graph
            node = _draw_node(rng, graph, left, cost)
            if node is None or len(inputs) + len(nodes) + 1 > len(LETTERS):
                break
            nodes.append(node)
            spent += cost[node.stage]


def _is_complete(graph: Graph) -> bool:
    printed = graph.printed
    return (
        len(printed) <= _MAX_PRINTED
        and all(graph.type_of(position) in PRINTABLE for position in printed)
        and printed[0] >= len(graph.inputs)
    )


def _draw_node(rng: random.Random, graph: Graph, left: float, cost: Mapping[str, float]) -> Node | None:
    """A stage on a value that is not used yet, if one fits."""
    positions = range(len(graph.inputs) + len(graph.nodes))
    types = [graph.type_of(position) for position in positions]
    fresh = graph.printed
    urgent = [position for position in fresh if types[position] not in PRINTABLE or position < len(graph.inputs)]
    focus = rng.choice(urgent or fresh if rng.random() < _FRESH_SHARE else positions)
    fitting = [
        stage
        for stage in STAGES.values()
        if types[focus] in stage.takes and set(stage.takes) <= set(types) and cost[stage.name] <= left + 0.6
    ]
    if not fitting:
        return None
    weights = [_SHORT_SHARE if cost[stage.name] < 2.5 else 1.0 for stage in fitting]
    stage = rng.choices(fitting, weights)[0]
    chosen = _arguments(rng, stage.takes, focus, types, fresh)
    if len(set(chosen)) < len(chosen):
        return None
    return Node(stage.name, chosen, rng.choice(stage.constants) if stage.constants else None)


def _arguments(
    rng: random.Random, takes: tuple[ValueType, ...], focus: int, types: list[ValueType], fresh: tuple[int, ...]
) -> tuple[int, ...]:
    """The focus at one of its places, and other values, fresh ones if there are any."""
    place = rng.choice([index for index, value_type in enumerate(takes) if value_type == types[focus]])
    chosen = []
    for index, value_type in enumerate(takes):
        others = [i for i, other in enumerate(types) if other == value_type and i != focus]
        others = [i for i in others if i in fresh] or others
        chosen.append(focus if index == place or not others else rng.choice(others))
    return tuple(chosen)
