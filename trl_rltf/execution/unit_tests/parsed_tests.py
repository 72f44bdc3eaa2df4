"""Parse the tests of programs once: the completions of a prompt have the same ones."""

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
    """
    Keep parsed tests between batches. It may be used from several threads.
    """

    def __init__(self) -> None:
        self._parsed: dict[tuple[str | bytes, int, bool], tuple[UnitTests, Checker | None]] = {}

    def parse(self, tests: Mapping[str, Any] | str, strict: bool, checker: Checker | None) -> UnitTests:
        """
        Return what [`~execution.unit_tests.formats.parse_tests`] makes of tests, the same object for the same arguments.

        Args:
            tests (`Mapping` or `str`): The tests, as a mapping or as JSON text.
            strict (`bool`): Whether to compare without tolerance.
            checker (`Callable` or `None`): Two checkers are the same if they are one object.

        Returns:
            [`~execution.unit_tests.unit_test.UnitTests`]: The tests, split.

        Raises:
            ValueError: If the tests are malformed.
        """
        content = _content(tests)
        if content is None:
            return _parse(tests, strict, checker)
        key = content, id(checker), strict
        entry = self._parsed.get(key)
        if entry is None:
            entry = _parse(tests, strict, checker), checker  # an id is not given again while the checker is kept
            while len(self._parsed) >= _MAX_ENTRIES:
                with contextlib.suppress(KeyError, StopIteration, RuntimeError):  # another thread was faster
                    del self._parsed[next(iter(self._parsed))]
            self._parsed[key] = entry
        return entry[0]


def _content(tests: Any) -> str | bytes | None:
    """What tells tests apart, down to the types of their values; `None` where that is not known."""
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
            raise ValueError(f"the tests hold what JSON cannot write ({error}).") from error
    return parse_tests(tests, strict, checker)
