"""One unit test, and the tests of one problem, split into what a program's process gets and what stays outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..wire.messages import Mode, Probe


@dataclass(frozen=True, slots=True)
class UnitTest:
    """
    One unit test.

    Args:
        probe (`dict`): The part that enters the process of the program: an input, arguments, an expression, or in mode
            `"inside"` the whole test.
        check (`Callable[[Any], bool]`): The part that stays outside: takes what came out of the process (printed text, or
            the plain data of each value) and says whether it is right. It holds the expected output.
        statements (`str`): A test for a referee.
    """

    probe: Probe
    check: Callable[[Any], bool]
    statements: str = ""


@dataclass(frozen=True, slots=True)
class UnitTests:
    """
    The unit tests of one problem.

    Args:
        mode (`str`): How they run. It depends on their text alone.
            - `"stdin"`: a process per test, text in, text out;
            - `"call"`: the program is loaded, and its function is called;
            - `"expression"`: the program is loaded, and the computed side of each assert is evaluated;
            - `"referee"`: the tests run in a process of their own, which calls the functions of the program;
            - `"inside"`: the tests run in the program's process.
        cases (`tuple[UnitTest, ...]`): The tests; never empty.
        early_setup (`str`): Code that runs before the program: imports and definitions that the program may use.
        own_names (`tuple[str, ...]`): Names of the early setup that the program may not replace.
        setup (`str`): Code that runs between the program and the tests, in the program's process.
        referee_setup (`str`): The whole setup, for a referee.
        required (`tuple[tuple[str, ...], ...]`): What the tests use of the program: of each group of names one has to be
            defined.
        built_in (`tuple[str, ...]`): Where the tests use nothing but names that exist without the program: those of which
            the program has to define one itself.
    """

    mode: Mode
    cases: tuple[UnitTest, ...]
    early_setup: str = ""
    own_names: tuple[str, ...] = ()
    setup: str = ""
    referee_setup: str = ""
    required: tuple[tuple[str, ...], ...] = ()
    built_in: tuple[str, ...] = ()
