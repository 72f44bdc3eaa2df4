"""A stage: one kind of named value, with its words, its meaning and its code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


# `element` is an element of a list with its place, `counts` how often each value occurs, and `code` a word with digits.
ValueType = Literal["list", "number", "word", "grid", "positions", "element", "counts", "code"]
# Values that a statement can ask for. Others have no form that all authors share.
PRINTABLE: tuple[ValueType, ...] = ("list", "number", "word", "code", "positions")
# Values that belong to a list, which code needs together with them.
OF_A_LIST: tuple[ValueType, ...] = ("positions", "element")


@dataclass(frozen=True, slots=True)
class Stage:
    """
    One kind of step in a graph of named values.

    In a template, `$a` and `$b` are the arguments, `$s` is the list that `$a` belongs to, `$r` the result, `$k` the constant, and
    other names are local. `{{right|wrong}}` marks the place of the persistent mistake of a gap. Lines that start with `@` and
    `cell(i, j)` are written in the style of an author, see [`expand`].

    Args:
        name (`str`): Name of the kind, and of its helper function.
        noun (`str`): Name of the value for authors who use words.
        text (`str`): Words of the statement, with `{a}`, `{b}`, `{s}` and `{k}`.
        takes (`tuple[str, ...]`): Types of the arguments.
        gives (`str`): Type of the result.
        compute (`Callable`): The meaning, apart from all templates: takes the arguments, each followed by its list where it
            belongs to one, and the constant where there is one. Positions count from 0, and an element is a position or -1.
        bodies (`tuple[str, ...]`): Templates, from explicit to compact.
        forms (`Mapping[str, tuple[str, ...]]`): Templates by the form of the value instead, where they differ by it.
        constants (`tuple[int, ...]`): Values of `$k`.
    """

    name: str
    noun: str
    text: str
    takes: tuple[ValueType, ...]
    gives: ValueType
    compute: Callable[..., Any]
    bodies: tuple[str, ...] = ()
    forms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constants: tuple[int, ...] = ()

    def templates(self, chosen_forms: Mapping[str, str]) -> tuple[str, ...]:
        """Templates for an author who writes values in these forms, by type."""
        if not self.forms:
            return self.bodies
        return next(self.forms[form] for form in chosen_forms.values() if form in self.forms)

    @property
    def has_mistake(self) -> bool:
        """Whether the templates mark a mistake."""
        return any("{{" in body for bodies in (self.bodies, *self.forms.values()) for body in bodies)
