"""The authors of MiniAPPS-L: habits that bind the rest of a program."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from .stage import Stage


# Forms of the values that can be written in several ways. What is chosen first decides all code that reads the value.
FORMS: Mapping[str, tuple[str, ...]] = {
    "positions": ("from 0", "from 1", "mask"),
    "element": ("index", "place", "value"),
    "counts": ("dict", "pairs"),
    "grid": ("rows", "flat", "cells"),
    "word": ("text", "letters"),
}
_DEVIATION = 0.2  # probability that a form, or the shape of a stage, is not the habit
_ROLES = "x y i j n t c m p q v seen h w line".split()


@dataclass(frozen=True, slots=True)
class Author:
    """
    The way in which an author writes programs.

    Args:
        name (`str`): Name in tables.
        values (`str`): Names of the values: `"letters"` as in the statement, `"words"` for their meaning, or a prefix for
            `"numbered"` ones.
        names (`str`): Names of the local variables, in the order of the roles in templates.
        loop (`str`): Form of a loop over a list.
        forms (`tuple[str, ...]`): Habits among `FORMS`, in its order.
        taste (`int`): Preferred template of a stage: 0 is the most explicit one, -1 the most compact one.
        layout (`str`, *optional*, defaults to `"flat"`): `"helpers"` writes a function per stage with a loop, `"main"` one
            function for all.
        augmented (`bool`, *optional*, defaults to `True`): Whether `+=` is used.
        reading (`str`, *optional*, defaults to `"input"`): Source of the lines of standard input: `input()`, or `"lines"` of all
            of it.
    """

    name: str
    values: str
    names: str
    loop: Literal["value", "index", "while"]
    forms: tuple[str, ...]
    taste: Literal[0, -1]
    layout: Literal["flat", "helpers", "main"] = "flat"
    augmented: bool = True
    reading: Literal["input", "lines"] = "input"

    def form_of(self, value_type: str) -> str:
        """The form in which values of a type are written."""
        return self.form_by_type()[value_type]

    def form_by_type(self) -> dict[str, str]:
        """The forms of all types that have several."""
        return dict(zip(FORMS, self.forms, strict=True))

    def locals(self) -> dict[str, str]:
        """Names of the local variables by their roles in templates."""
        return dict(zip(_ROLES, self.names.split(), strict=True))

    def value_name(self, position: int, noun: str, taken: list[str]) -> str:
        """
        Name a value.

        Args:
            position (`int`): Position of the value in the graph.
            noun (`str`): Its meaning in a word.
            taken (`list[str]`): Names of the values before it.

        Returns:
            `str`: A name that is new.
        """
        if self.values == "letters":
            return LETTERS[position]
        if self.values == "capitals":
            return LETTERS[position].upper()
        if self.values == "words":
            return next(name for name in (noun, *(f"{noun}{n}" for n in range(2, 99))) if name not in taken)
        return f"{self.values}{position + 1}"

    def deviate(self, rng: random.Random) -> Author:
        """The same author on another day: some forms are not the habitual ones."""
        forms = [
            rng.choice(choices) if rng.random() < _DEVIATION else habit
            for habit, choices in zip(self.forms, FORMS.values(), strict=True)
        ]
        return replace(self, forms=tuple(forms))

    def template(self, stage: Stage, rng: random.Random | None) -> str:
        """
        Choose a template of a stage.

        Args:
            stage (`Stage`): The stage.
            rng (`random.Random` or `None`): Random number generator; `None` always takes the preferred template.

        Returns:
            `str`: The template.
        """
        templates = stage.templates(self.form_by_type())
        if rng is not None and rng.random() < _DEVIATION:
            return rng.choice(templates)
        return templates[self.taste]


# Names of the values in statements, apart from those that a role has in the programs of the authors who use letters.
LETTERS = "abcdefgkopqruvz"
AUTHORS = (
    Author(
        "letters",
        "letters",
        "x y i j n total count best last stack key seen rows cols lines",
        "value",
        ("from 0", "index", "dict", "rows", "text"),
        -1,
    ),
    Author(
        "words",
        "words",
        "value other index inner offset running hits best previous pending key known height width lines",
        "value",
        ("from 1", "value", "dict", "rows", "text"),
        0,
        layout="helpers",
    ),
    Author(
        "plain",
        "v",
        "e f i j n s cnt mx prev stk key used h w lines",
        "index",
        ("mask", "index", "pairs", "flat", "text"),
        0,
        augmented=False,
        reading="lines",
    ),
    Author(
        "capitals",
        "capitals",
        "x y i j n t c m p q v s h w rows",
        "while",
        ("from 0", "place", "dict", "cells", "letters"),
        0,
    ),
    Author(
        "functions",
        "val",
        "el tmp idx jdx off sm num top old buf item done nr nc text",
        "index",
        ("from 1", "index", "pairs", "rows", "letters"),
        -1,
        layout="helpers",
    ),
    Author(
        "main",
        "step",
        "item work pos nxt cut acc times cur before queue what found deep across data",
        "value",
        ("mask", "value", "pairs", "flat", "text"),
        -1,
        layout="main",
        reading="lines",
    ),
)
