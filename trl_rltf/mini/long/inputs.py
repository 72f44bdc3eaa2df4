"""Inputs of tests: ordinary ones and edge cases, which are harder."""

from __future__ import annotations

import random
from typing import Any, Literal, get_args

from .stage import ValueType


Profile = Literal["ordinary", "short", "empty", "ties", "negative", "long"]
_WEIGHTS = (8, 2, 1, 2, 2, 2)  # of the profiles
_LETTERS = "abcdeiostuz"


def draw_profile(rng: random.Random) -> Profile:
    """Draw the kind of a test."""
    return rng.choices(get_args(Profile), _WEIGHTS)[0]


def draw_input(value_type: ValueType, profile: Profile, rng: random.Random) -> Any:
    """
    Draw the value of an input.

    Args:
        value_type (`str`): Its type: a list, a number, a word or a grid.
        profile (`str`): Kind of the test. A word and a grid are never empty.
        rng (`random.Random`): Random number generator.

    Returns:
        `Any`: The value.
    """
    if value_type == "number":
        return (
            rng.randint(-6, 0) if profile in ("empty", "negative") else rng.randint(1, 30 if profile == "long" else 9)
        )
    if value_type == "grid":
        height, width = _grid_shape(profile, rng)
        return [_numbers(width, profile, rng) for _ in range(height)]
    length = {"short": rng.randint(1, 2), "empty": 0, "long": rng.randint(10, 14)}.get(profile, rng.randint(3, 8))
    if value_type == "word":
        letters = rng.sample(_LETTERS, 2) if profile == "ties" else _LETTERS
        return "".join(rng.choices(letters, k=max(1, length)))
    return _numbers(length, profile, rng)


def _grid_shape(profile: Profile, rng: random.Random) -> tuple[int, int]:
    if profile == "empty":
        return 1, 1
    if profile == "short":
        return rng.choice([(1, rng.randint(2, 4)), (rng.randint(2, 4), 1)])
    return (rng.randint(4, 5), rng.randint(3, 5)) if profile == "long" else (rng.randint(2, 3), rng.randint(2, 4))


def _numbers(length: int, profile: Profile, rng: random.Random) -> list[int]:
    if profile == "ties":
        return rng.choices([rng.randint(-9, 12) for _ in range(3)], k=length)
    lowest, highest = (-20, -1) if profile == "negative" else (-9, 20)
    return [rng.randint(lowest, highest) for _ in range(length)]


def as_text(value_type: ValueType, value: Any, *, has_length: bool) -> str:
    """
    Write an input as lines of standard input.

    Args:
        value_type (`str`): Its type.
        value (`Any`): The value.
        has_length (`bool`): Whether a line with its length precedes a list.

    Returns:
        `str`: The lines.
    """
    if value_type == "grid":
        rows = [" ".join(map(str, row)) for row in value]
        return "\n".join([f"{len(value)} {len(value[0])}", *rows, ""])
    if value_type == "list":
        return (f"{len(value)}\n" if has_length else "") + " ".join(map(str, value)) + "\n"
    return f"{value}\n"


def answer_text(answers: list[Any]) -> str:
    """Write the values that a statement asks for as standard output, one per line."""
    lines = [" ".join(map(str, answer)) if isinstance(answer, list) else str(answer) for answer in answers]
    return "\n".join([*lines, ""])


def describe_input(value_type: ValueType, name: str, *, has_length: bool) -> str:
    """Describe the lines of an input in the words of a statement."""
    if value_type == "list":
        length = f"a line with the length of {name} and " if has_length else ""
        return f"{length}a line with {name}, a list of integers"
    if value_type == "grid":
        return f"a line with the height and the width of {name} and the rows of {name}, a grid of integers"
    return f"a line with {name}, {'an integer' if value_type == 'number' else 'a word'}"
