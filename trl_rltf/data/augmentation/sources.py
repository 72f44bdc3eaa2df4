"""Make inputs by changing those of the tests that are there."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..literals import text_of
from .argument_rules import facts_of_arguments
from .grid_layout import Grid, write_grid
from .rules import Rules
from .seen_tests import SeenTests
from .shapes import Shape, shape_of
from .token_grid import GridMutator
from .varied_values import boundaries, vary


_MAX_CHANGES = 3  # per random input
_MAX_CHARACTERS = 5_000  # of the arguments that are changed
_TRIES_PER_INPUT = 30


@dataclass(frozen=True)
class ProblemInputs:
    """
    What a source of inputs knows about a problem.

    Args:
        problem (`Mapping[str, Any]`): The row of the dataset.
        tests (`SeenTests`): Its tests.
        seed (`str`): Seed that differs between problems.
    """

    problem: Mapping[str, Any]
    tests: SeenTests
    seed: str


@dataclass(frozen=True)
class NewInputs:
    """
    Inputs that a source made.

    Args:
        inputs (`Sequence[Any]`): Text of standard input, or lists of arguments.
        notes (`Sequence[str]`, *optional*): What went wrong, if something did.
    """

    inputs: Sequence[Any]
    notes: Sequence[str] = field(default=())


class InputSource(Protocol):
    """
    A source of inputs for new tests.

    Attributes:
        name (`str`): Name in the column `test_sources`.
    """

    name: str

    def make_inputs(self, seen: ProblemInputs, num_inputs: int) -> NewInputs:
        """
        Make inputs for a problem.

        Args:
            seen (`ProblemInputs`): The problem.
            num_inputs (`int`): Number of inputs at most.

        Returns:
            `NewInputs`: The inputs. No input that was seen has to be left out, and none has to be valid.
        """
        ...


class MutatedInputs:
    """
    Change the inputs of the tests, by type and by structure.

    Boundary values come first, then random changes. Numbers keep to the range of the numbers at the same place, extended where few
    were seen. A number that counts what follows stays true.
    """

    name = "mutation"

    def make_inputs(self, seen: ProblemInputs, num_inputs: int) -> NewInputs:
        """Make inputs for a problem, see [`InputSource`]."""
        rng = random.Random(f"{self.name} {seen.seed}")
        if seen.tests.kind == "stdin":
            mutator = GridMutator(seen.tests.inputs)
            if not mutator.grids:
                return NewInputs([], ["standard input is empty or too long"])
            made: Iterator[Any] = map(write_grid, _mutated_grids(mutator, rng, num_inputs))
        else:
            inputs = usual_arguments(seen.tests.inputs)
            if not inputs:
                return NewInputs([], ["the arguments are too long"])
            made = _mutated_arguments(inputs, rng, num_inputs)
        return NewInputs(_distinct(made, known=seen.tests.inputs, most=num_inputs))


def _mutated_grids(mutator: GridMutator, rng: random.Random, num_inputs: int) -> Iterator[Grid]:
    at_boundaries = filter(mutator.rules.allow, dict.fromkeys(mutator.boundaries()))
    yield from _sample(list(at_boundaries), num_inputs // 2, rng)
    for _ in range(_TRIES_PER_INPUT * num_inputs):
        grid = rng.choice(mutator.grids)
        for _ in range(rng.randint(1, _MAX_CHANGES)):
            grid = mutator.mutate(grid, rng)
        if mutator.rules.allow(grid):
            yield grid


def _mutated_arguments(inputs: Sequence[list[Any]], rng: random.Random, num_inputs: int) -> Iterator[list[Any]]:
    shapes = argument_shapes(inputs)
    counts = find_argument_counts(inputs)
    at_boundaries = []
    for arguments in inputs:
        for place, (argument, shape) in enumerate(zip(arguments, shapes, strict=True)):
            for value in boundaries(argument, shape):
                at_boundaries.append(with_counts([*arguments[:place], value, *arguments[place + 1 :]], counts))
    rules = Rules(facts_of_arguments, inputs)
    yield from _sample(list(filter(rules.allow, at_boundaries)), num_inputs // 2, rng)
    for _ in range(_TRIES_PER_INPUT * num_inputs):
        arguments = list(rng.choice(inputs))
        for _ in range(rng.randint(1, _MAX_CHANGES)):
            place = rng.randrange(len(arguments)) if arguments else 0
            if arguments:
                arguments[place] = vary(arguments[place], shapes[place], rng)
        arguments = with_counts(arguments, counts)
        if rules.allow(arguments):
            yield arguments


def usual_arguments(inputs: Sequence[list[Any]]) -> list[list[Any]]:
    """
    Arguments that new ones are made from: short ones, of the most common number.

    Args:
        inputs (`Sequence[list[Any]]`): Arguments of each call.
    """
    lengths = [len(arguments) for arguments in inputs]
    length = max(lengths, key=lengths.count)
    return [
        arguments for arguments in inputs if len(arguments) == length and len(text_of(arguments)) <= _MAX_CHARACTERS
    ]


def argument_shapes(inputs: Sequence[list[Any]]) -> list[Shape]:
    """
    Shapes of the arguments of a function.

    Args:
        inputs (`Sequence[list[Any]]`): Arguments of each call, as many in each.
    """
    return [shape_of(values) for values in zip(*inputs, strict=True)]


def find_argument_counts(inputs: Sequence[list[Any]]) -> list[tuple[int, int]]:
    """
    Find arguments that are always the length of another one.

    Args:
        inputs (`Sequence[list[Any]]`): Arguments of each call.

    Returns:
        `list[tuple[int, int]]`: Positions of the number and of the text or container.
    """
    places = range(min(map(len, inputs)))
    found = []
    for number, sized in itertools.permutations(places, 2):
        pairs = [(arguments[number], arguments[sized]) for arguments in inputs]
        if all(type(n) is int and isinstance(s, (str, list, tuple)) and n == len(s) for n, s in pairs):
            found.append((number, sized))
    return found


def with_counts(arguments: list[Any], counts: Sequence[tuple[int, int]]) -> list[Any]:
    """
    Correct the arguments that are lengths of others.

    Args:
        arguments (`list[Any]`): Arguments of a call.
        counts (`Sequence[tuple[int, int]]`): Result of `find_argument_counts`.
    """
    arguments = list(arguments)
    for number, sized in counts:
        arguments[number] = len(arguments[sized])
    return arguments


def _sample(items: list[Any], most: int, rng: random.Random) -> list[Any]:
    """Some of the items, in their order."""
    if len(items) <= most:
        return items
    return [items[index] for index in sorted(rng.sample(range(len(items)), most))]


def _distinct(inputs: Iterator[Any], *, known: Sequence[Any], most: int) -> list[Any]:
    """Inputs that differ from each other and from those that are known."""
    seen = {_key(item) for item in known}
    kept: list[Any] = []
    while len(kept) < most and (item := next(inputs, None)) is not None:
        if _key(item) not in seen:
            seen.add(_key(item))
            kept.append(item)
    return kept


def _key(item: Any) -> str:
    return " ".join(item.split()) if isinstance(item, str) else text_of(item)
