"""
Hold each unit test in two parts.

One part enters the process of the program. The other part stays outside and holds the expected output, so a program
cannot find it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

from ..wire.messages import Mode, Probe


@dataclass(frozen=True, slots=True)
class UnitTest:
    """
    One unit test.

    Args:
        probe ([`~execution.wire.messages.Probe`]): The part that enters the process of the program: an input, arguments, an
            expression, or in mode `"inside"` the whole test.
        check (`Callable[[Any], bool]`): The part that stays outside. It takes the answer of the program (printed text, or the
            plain data of each value) and returns whether it is right.
        statements (`str`, *optional*): The whole test, if it is an assert.
        input (`Any`, *optional*): Input or list of the arguments, if the test is not an assert.
        expected (`Any`, *optional*): Expected output or value, if the test is not an assert.
    """

    probe: Probe
    check: Callable[[Any], bool]
    statements: str = ""
    _: KW_ONLY
    input: Any = None
    expected: Any = None


@dataclass(frozen=True, slots=True)
class UnitTests:
    """
    The unit tests of one problem.

    Args:
        mode (`str`): How the tests run. It depends on their text alone.
            - `"stdin"`: one process per test, text in, text out;
            - `"call"`: the program is loaded, and its function is called;
            - `"expression"`: the program is loaded, and the computed side of each assert is evaluated;
            - `"referee"`: the tests run in a separate process, which calls the functions of the program;
            - `"inside"`: the tests run in the process of the program.
        cases (`tuple[UnitTest, ...]`): The tests; never empty.
        early_setup (`str`, *optional*): Code that runs before the program: imports and definitions that the program may use.
        own_names (`tuple[str, ...]`, *optional*): Names of the early setup that the program may not replace.
        setup (`str`, *optional*): Code that runs between the program and the tests, in the process of the program.
        referee_setup (`str`, *optional*): The whole setup, for a referee.
        required (`tuple[tuple[str, ...], ...]`, *optional*): Groups of names. The program has to define one name per group.
        built_in (`tuple[str, ...]`, *optional*): Set if the tests use only names that exist without the program, such as built-in
            functions: the program has to define one of these names itself.
    """

    mode: Mode
    cases: tuple[UnitTest, ...]
    _: KW_ONLY
    early_setup: str = ""
    own_names: tuple[str, ...] = ()
    setup: str = ""
    referee_setup: str = ""
    required: tuple[tuple[str, ...], ...] = ()
    built_in: tuple[str, ...] = ()
