"""Change plain values by type and by structure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from .shapes import Shape


_NO_SHAPE = Shape(frozenset())


def vary(value: Any, shape: Shape, rng: random.Random) -> Any:
    """
    Make a value like another one, with a single change.

    Args:
        value (`Any`): A plain value. It does not change.
        shape ([`Shape`]): Shape of the values at its place.
        rng (`random.Random`): Source of randomness.

    Returns:
        `Any`: The new value, which may be equal.
    """
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return _integer(value, shape, rng)
    if isinstance(value, float):
        return _number(value, shape, rng)
    if isinstance(value, str):
        return f"{shape.quote}{_text(_without_quotes(value, shape), shape, rng)}{shape.quote}"
    if isinstance(value, (list, tuple)):
        return type(value)(_sequence(list(value), shape, rng))
    if isinstance(value, (set, frozenset)):
        items = sorted(value, key=repr)
        return type(value)(_sequence(items, shape, rng))
    if isinstance(value, dict) and value:
        key = rng.choice(sorted(value, key=repr))
        return {**value, key: vary(value[key], shape.items or _NO_SHAPE, rng)}
    return value


def boundaries(value: Any, shape: Shape) -> Iterator[Any]:
    """
    Boundary values like another one.

    They are the least and the largest number, zero, one and a negative number where the range allows them; empty, single, equal,
    sorted and reversed containers; and empty and single texts.

    Args:
        value (`Any`): A plain value. It does not change.
        shape ([`Shape`]): Shape of the values at its place.

    Yields:
        `Any`: The next value.
    """
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, (int, float)):
        low, high = shape.range_of_numbers()
        kind = type(value)
        candidates = [low, high, 0, 1, -1, 2, int(shape.low), int(shape.high)]
        yield from (kind(number) for number in candidates if low <= number <= high)
    elif isinstance(value, str):
        texts = _boundary_texts(_without_quotes(value, shape))
        yield from (f"{shape.quote}{text}{shape.quote}" for text in texts if _fits(text, value, shape))
    elif isinstance(value, (list, tuple)):
        lists = _boundary_lists(list(value), shape)
        yield from (type(value)(items) for items in lists if _fits(items, value, shape))


def _fits(made: Sequence[Any], value: Sequence[Any], shape: Shape) -> bool:
    least, most = shape.range_of_lengths()
    return least <= len(made) <= max(most, len(value))


def _without_quotes(value: str, shape: Shape) -> str:
    return value[1:-1] if shape.quote else value


def _boundary_texts(text: str) -> Iterator[str]:
    yield ""
    if text:
        yield from (text[0], text[-1], text[0] * len(text), text[::-1], "".join(sorted(text)))


def _boundary_lists(items: list[Any], shape: Shape) -> Iterator[list[Any]]:
    yield []
    if not items or shape.positions:
        return
    yield items[:1]
    yield items[-1:]
    yield [items[0]] * len(items)
    yield sorted_items(items)
    yield sorted_items(items)[::-1]
    if shape.items is not None:
        for item in boundaries(items[0], shape.items):
            yield [item]
            yield [item] * len(items)


def sorted_items(items: Sequence[Any]) -> list[Any]:
    """
    Sort items, or leave their order if they cannot be compared.

    Args:
        items (`Sequence[Any]`): The items.
    """
    try:
        return sorted(items)
    except TypeError:
        return list(items)


def _integer(value: int, shape: Shape, rng: random.Random) -> int:
    low, high = shape.range_of_numbers()
    if low > high:
        return value
    near = [number for number in (value - 1, value + 1) if low <= number <= high]
    return rng.choice([*near, rng.randint(low, high), rng.randint(low, high)])


def _number(value: float, shape: Shape, rng: random.Random) -> float:
    low, high = shape.range_of_numbers()
    digits = len(repr(value).partition(".")[2]) if "e" not in repr(value) else 6
    return rng.choice([round(rng.uniform(min(low, high), max(low, high)), digits), float(round(value))])


def _text(value: str, shape: Shape, rng: random.Random) -> str:
    alphabet = shape.alphabet or "ab"
    least, most = shape.range_of_lengths()
    characters = list(value)
    actions = ["replace", "shuffle", "reverse", "new"]
    if not shape.has_fixed_length:
        actions += [
            name
            for name, fits in (
                ("drop", len(value) > max(1, least)),
                ("add", len(value) < most),
                ("repeat", len(value) < most),
            )
            if fits
        ]
    action = rng.choice(actions)
    place = rng.randrange(len(characters)) if characters else 0
    if action == "new":
        length = rng.randint(max(1, least), max(1, least, most))
        return "".join(rng.choice(alphabet) for _ in range(len(value) if shape.has_fixed_length else length))
    if action == "replace" and characters:
        characters[place] = rng.choice(alphabet)
    elif action == "shuffle":
        rng.shuffle(characters)
    elif action == "reverse":
        characters.reverse()
    elif action == "drop":
        del characters[place]
    elif action == "add" or not characters:
        characters.insert(place, rng.choice(alphabet))
    elif action == "repeat":
        characters.insert(place, characters[place])
    return "".join(characters)


def _sequence(items: list[Any], shape: Shape, rng: random.Random) -> list[Any]:
    shapes = shape.positions or [shape.items or _NO_SHAPE] * len(items)
    actions = ["item", "item"]
    least, most = shape.range_of_lengths()
    if not shape.positions:
        actions += ["shuffle", "sort", "equal"]
    if not shape.has_fixed_length:
        actions += [name for name, fits in (("drop", len(items) > max(1, least)), ("add", len(items) < most)) if fits]
    if not items:
        return items
    action = rng.choice(actions)
    place = rng.randrange(len(items))
    if action == "item":
        items[place] = vary(items[place], shapes[min(place, len(shapes) - 1)], rng)
    elif action == "shuffle":
        rng.shuffle(items)
    elif action == "sort":
        items = sorted_items(items)
    elif action == "equal":
        items[place] = items[rng.randrange(len(items))]
    elif action == "drop":
        del items[place]
    else:
        items.insert(place, vary(items[place], shapes[min(place, len(shapes) - 1)], rng))
    return items
