"""Define a program with its tests, the interface of graders, and the opt-in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Protocol, runtime_checkable

from .report import ExecutionReport
from .unit_tests.formats import Checker


@dataclass(frozen=True, slots=True)
class Program:
    """
    A program and the tests to run it on.

    Args:
        source (`str`): Python source. Any text can be graded.
        tests (`Mapping` or `str`): Unit tests in one of the three formats, see [`parse_tests`].
        checker (`Callable[[Any, Any, Any], bool]`, *optional*): Decides whether an answer is right, instead of the checker
            of the runner; see [`LocalRunner`].
        timeout (`float`, *optional*): CPU seconds per test, instead of those of the runner. The elapsed seconds per test are three
            times as many, unless the runner was given a `wall_timeout`.
        memory_limit (`int`, *optional*): Bytes of address space per process, instead of those of the runner; at least 2**26.
    """

    source: str
    tests: Mapping[str, Any] | str
    checker: Checker | None = None
    _: KW_ONLY
    timeout: float | None = None
    memory_limit: int | None = None


@runtime_checkable
class Runner(Protocol):
    """Interface of a grader. Implement it to grade on other machines."""

    def run(self, programs: Sequence[Program]) -> list[ExecutionReport]:
        """
        Grade programs.

        Args:
            programs (`Sequence[Program]`): Programs with their tests.

        Returns:
            `list[ExecutionReport]`: One report per program, in the same order. No program may make this raise.
        """
        ...


def check_opt_in(allow_code_eval: bool | None = None) -> None:
    """
    Require an explicit opt-in to run model-written code.

    Args:
        allow_code_eval (`bool`, *optional*): Explicit choice; `None` reads `HF_ALLOW_CODE_EVAL`.

    Raises:
        ValueError: Without an opt-in.
    """
    if allow_code_eval is None:
        allow_code_eval = os.environ.get("HF_ALLOW_CODE_EVAL", "0") == "1"
    if not allow_code_eval:
        raise ValueError(
            "This runs code that a model wrote, which may be harmful. Read what the sandbox promises "
            "(docs/execution.md), then opt in with the environment variable `HF_ALLOW_CODE_EVAL=1` or with "
            "`allow_code_eval=True`."
        )
