"""Parse equal tests once: all completions of a prompt have the same tests."""

from __future__ import annotations

import contextlib
import marshal
from collections.abc import Mapping
from typing import Any

from ..wire.long_integers import dump_json
from .formats import Checker, parse_tests
from .unit_test import UnitTests


_MAX_ENTRIES = 4096


class ParsedTests:
    """Keep parsed tests between batches. Several threads may use it."""

    def __init__(self) -> None:
        self._parsed: dict[tuple[str | bytes, int, bool], tuple[UnitTests, Checker | None]] = {}

    def parse(self, tests: Mapping[str, Any] | str, strict: bool, checker: Checker | None) -> UnitTests:
        """
        Parse tests, or return the result of an earlier call with equal arguments.

        See [`~execution.unit_tests.formats.parse_tests`].

        Args:
            tests (`Mapping` or `str`): The tests, as a mapping or as JSON text.
            strict (`bool`): Whether to compare without tolerance.
            checker (`Callable` or `None`): Decides whether an answer is right. Two checkers are equal if they are one object.

        Returns:
            [`~execution.unit_tests.unit_test.UnitTests`]: The tests, each in two parts.

        Raises:
            ValueError: If the tests are malformed.
        """
        content = _content(tests)
        if content is None:
            return _parse(tests, strict, checker)
        key = content, id(checker), strict
        entry = self._parsed.get(key)
        if entry is None:
            entry = _parse(tests, strict, checker), checker  # an id is not used again while the checker is kept
            while len(self._parsed) >= _MAX_ENTRIES:
                with contextlib.suppress(KeyError, StopIteration, RuntimeError):  # another thread was faster
                    del self._parsed[next(iter(self._parsed))]
            self._parsed[key] = entry
        return entry[0]


def _content(tests: Any) -> str | bytes | None:
    """Serialize tests with the types of their values; `None` if not possible."""
    if isinstance(tests, str):
        return tests
    try:
        return marshal.dumps(tests, 2)  # the last version in which equal values have equal bytes
    except ValueError:
        return None


def _parse(tests: Mapping[str, Any] | str, strict: bool, checker: Checker | None) -> UnitTests:
    if not isinstance(tests, str):
        try:
            dump_json(tests)
        except ValueError as error:
            raise ValueError(f"the tests cannot be written as JSON ({error}). Use only JSON values.") from error
    return parse_tests(tests, strict=strict, checker=checker)
