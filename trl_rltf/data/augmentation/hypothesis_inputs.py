"""Draw inputs from hypothesis strategies for the types of the inputs seen."""

from __future__ import annotations

import importlib
import importlib.util
import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

from ..literals import text_of
from .argument_rules import facts_of_arguments
from .grid_layout import Grid, write_grid, write_token
from .rules import Rules
from .shapes import Shape
from .sources import NewInputs, ProblemInputs, argument_shapes, find_argument_counts, usual_arguments, with_counts
from .token_grid import GridMutator, replace_token


_MAX_CELLS = 200  # of standard input
_DRAWS_PER_INPUT = 4
_LOCK = threading.Lock()  # a run of hypothesis is for one thread


class HypothesisInputs:
    """
    Draw inputs from [hypothesis](https://hypothesis.readthedocs.io) strategies.

    The strategies follow from the types, ranges, alphabets and lengths of the inputs seen. For standard input, the numbers and texts
    that count nothing are drawn, after the counts have changed. Equal seeds draw equal inputs with one version of hypothesis.

    Raises:
        ImportError: If hypothesis is not installed.
    """

    name = "hypothesis"

    def __init__(self) -> None:
        if importlib.util.find_spec("hypothesis") is None:
            raise ImportError('`HypothesisInputs` needs hypothesis: pip install "trl-rltf[augment]".')

    def make_inputs(self, seen: ProblemInputs, num_inputs: int) -> NewInputs:
        """Make inputs for a problem, see [`InputSource`]."""
        if seen.tests.kind == "stdin":
            mutator = GridMutator(seen.tests.inputs)
            if not mutator.grids:
                return NewInputs([], ["standard input is empty or too long"])
            grids = _draw(_grid_strategy(mutator, seen.seed), num_inputs, seen.seed, accept=mutator.rules.allow)
            return NewInputs(list(map(write_grid, grids)))
        inputs = usual_arguments(seen.tests.inputs)
        if not inputs:
            return NewInputs([], ["the arguments are too long"])
        shapes, counts, rules = (
            argument_shapes(inputs),
            find_argument_counts(inputs),
            Rules(facts_of_arguments, inputs),
        )
        if not shapes:
            return NewInputs([])
        values = _fixed([strategy(shape) for shape in shapes]).map(lambda arguments: with_counts(arguments, counts))
        return NewInputs(_draw(values, num_inputs, seen.seed, accept=rules.allow))


def strategy(shape: Shape) -> Any:
    """
    Make the strategy for values of a shape.

    Args:
        shape ([`Shape`]): Types, ranges and lengths.

    Returns:
        `hypothesis.strategies.SearchStrategy`: The strategy.
    """
    from hypothesis import strategies as st

    low, high = shape.range_of_numbers()
    least, most = shape.range_of_lengths()
    made: dict[type, Callable[[], Any]] = {
        bool: lambda: st.booleans(),
        int: lambda: st.integers(low, max(low, high)),
        float: lambda: st.floats(min(low, high), max(low, high), allow_nan=False).map(lambda value: round(value, 2)),
        str: lambda: _texts(shape, least, most),
        type(None): lambda: st.none(),
        list: lambda: _items(shape, least, most),
        tuple: lambda: _items(shape, least, most).map(tuple),
        set: lambda: _items(shape, 0, most).map(_as_set),
        frozenset: lambda: _items(shape, 0, most).map(lambda items: frozenset(_as_set(items))),
        dict: lambda: _mappings(shape, least, most),
    }
    kinds = sorted(shape.types, key=lambda kind: kind.__name__)
    return st.one_of([made[kind]() for kind in kinds if kind in made] or [st.none()])


def _texts(shape: Shape, least: int, most: int) -> Any:
    from hypothesis import strategies as st

    texts = st.text(alphabet=shape.alphabet or "ab", min_size=least, max_size=most)
    return texts.map(lambda text: f"{shape.quote}{text}{shape.quote}") if shape.quote else texts


def _items(shape: Shape, least: int, most: int) -> Any:
    from hypothesis import strategies as st

    if shape.positions:
        return _fixed([strategy(part) for part in shape.positions])
    if shape.items is None:
        return st.just([])
    return st.lists(strategy(shape.items), min_size=least, max_size=most)


def _mappings(shape: Shape, least: int, most: int) -> Any:
    from hypothesis import strategies as st

    if shape.keys is None or shape.items is None:
        return st.just({})
    return st.dictionaries(strategy(shape.keys), strategy(shape.items), min_size=min(1, least), max_size=most)


def _fixed(parts: Sequence[Any]) -> Any:
    from hypothesis import strategies as st

    return st.tuples(*parts).map(list)


def _as_set(items: list[Any]) -> set[Any]:
    try:
        return set(items)
    except TypeError:
        return set(map(repr, items))


def _grid_strategy(mutator: GridMutator, seed: str) -> Any:
    from hypothesis import strategies as st

    return st.sampled_from(_templates(mutator, random.Random(f"templates {seed}"))).flatmap(
        lambda grid: _filled(mutator, grid)
    )


def _templates(mutator: GridMutator, rng: random.Random) -> list[Grid]:
    """The inputs seen, and others with other counts, the shortest first."""
    grids = list(mutator.grids)
    for grid in mutator.grids[:5]:
        for cell in dict.fromkeys(count.cell for count in mutator.layout.counts(grid)):
            number = int(grid[cell[0]][cell[1]])
            grids += [mutator.resize(grid, cell, other, rng) for other in (1, 2, 3, number + 1)]
    short = [grid for grid in dict.fromkeys(grids) if len(mutator.free_cells(grid)) <= _MAX_CELLS]
    return sorted(short or grids[:1], key=lambda grid: (sum(map(len, grid)), grid))


def _filled(mutator: GridMutator, grid: Grid) -> Any:
    """Strategy for an input with the counts of another one."""
    cells = mutator.free_cells(grid)[:_MAX_CELLS]
    parts = [strategy(mutator.shape(grid, cell)) for cell in cells]

    def fill(values: list[Any]) -> Grid:
        filled = grid
        for (line, place), value in zip(cells, values, strict=True):
            token = write_token(value, grid[line][place])
            if token and not any(map(str.isspace, token)):
                filled = replace_token(filled, (line, place), token)
        return filled

    return _fixed(parts).map(fill)


def _draw(values: Any, num_values: int, seed: str, *, accept: Callable[[Any], bool] = lambda value: True) -> list[Any]:
    """Draw different values that are accepted, the same for the same seed."""
    hypothesis: Any = importlib.import_module("hypothesis")
    found: dict[str, Any] = {}

    def keep(value: Any) -> None:
        if len(found) < num_values and accept(value):
            found.setdefault(text_of(value), value)

    quick = hypothesis.settings(
        max_examples=_DRAWS_PER_INPUT * num_values,
        phases=[hypothesis.Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    with _LOCK:
        hypothesis.seed(seed)(quick(hypothesis.given(values)(keep)))()
    return list(found.values())
