"""Read the columns of one row of a benchmark, and describe its faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .problems import is_missing, make_problem, parse_json


class BadRow(ValueError):
    """
    A row that does not have the format of its benchmark.

    Args:
        column (`str`): The column at fault.
        message (`str`): Sentences that name the row and the column, what was found and what to do.
    """

    def __init__(self, column: str, message: str):
        super().__init__(message)
        self.column = column


class LeftOut(Exception):
    """
    A row of the right format that cannot be graded.

    It is, for example, a problem without tests.

    Args:
        row ([`Row`]): The row.
        reason (`str`): Why; rows with equal reasons are counted together.
    """

    def __init__(self, row: Row, reason: str):
        super().__init__(reason)
        self.where = row.where
        self.reason = reason


@dataclass(frozen=True)
class Row:
    """
    One row of a benchmark.

    Args:
        where (`str`): File and line, or dataset and row; for messages.
        content (`Mapping[str, Any]`): The columns.
        number (`int`, *optional*, defaults to `0`): Position among the rows of the split, which names a row without a name.
    """

    where: str
    content: Mapping[str, Any]
    number: int = 0

    def bad(self, column: str, problem: str, advice: str = "Repair or remove the row.") -> BadRow:
        """
        Make the error for a malformed column.

        Args:
            column (`str`): The column.
            problem (`str`): What was found and what is expected, without a full stop.
            advice (`str`, *optional*): What to do.

        Returns:
            [`BadRow`]: The error, to be raised.
        """
        return BadRow(column, f"{self.where}, column `{column}`: {problem}. {advice}")

    def get(self, column: str) -> Any:
        """Value of a column; `None` if it is absent, null or NaN."""
        value = self.content.get(column)
        return None if is_missing(value) else value

    def require(
        self,
        column: str,
        advice: str = "Check that the dataset is the one that its name says, or remove the row.",
    ) -> Any:
        """
        Value of a column that must not be missing.

        Args:
            column (`str`): The column.
            advice (`str`, *optional*): What to do if it is missing.
        """
        value = self.get(column)
        if value is None:
            known = ", ".join(f"`{name}`" for name in self.content) or "none"
            raise self.bad(
                column,
                f"it is missing or null (the row has the columns {known})",
                advice,
            )
        return value

    def text(self, column: str, default: str | None = None) -> str:
        """
        Text in a column.

        Args:
            column (`str`): The column.
            default (`str`, *optional*): Result for a missing value. Without it, a missing value is an error.

        Returns:
            `str`: The text.

        Raises:
            BadRow: If the value is not text, or is missing.
        """
        value = self.get(column) if default is not None else self.require(column)
        if value is None:
            return default or ""
        if not isinstance(value, str):
            raise self.bad(column, f"it is of type {type(value).__name__}, but must be a text")
        return value

    def parsed(self, column: str) -> Any:
        """
        Value of a column that some versions of a dataset hold as JSON text.

        Args:
            column (`str`): The column.

        Returns:
            `Any`: The value, or the content of its JSON text; `None` for a missing value and for an empty text.

        Raises:
            BadRow: If the text is not JSON.
        """
        value = self.get(column)
        if not isinstance(value, str):
            return value
        return self.json(column, value) if value.strip() else None

    def json(self, column: str, text: str) -> Any:
        """
        Parse JSON text from a column.

        Args:
            column (`str`): The column that the text comes from.
            text (`str`): The text.

        Returns:
            `Any`: Its content.

        Raises:
            BadRow: If the text is not JSON.
        """
        try:
            return parse_json(text, f"{self.where}, column `{column}`")
        except ValueError as error:
            raise BadRow(column, str(error)) from error

    def texts(self, column: str) -> list[str]:
        """
        Texts in a column that holds a list, a JSON list, one text or nothing.

        Args:
            column (`str`): The column.

        Returns:
            `list[str]`: The texts.

        Raises:
            BadRow: If the value is something else.
        """
        value = self.get(column)
        if isinstance(value, str):
            if not value.lstrip().startswith("["):
                return [value] if value.strip() else []
            try:
                value = parse_json(value, self.where)
            except ValueError:
                return [value]  # a program that begins with a list
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.bad(column, "it must be a text or a list of texts, such as programs")
        return value

    def problem(
        self,
        prompt: str,
        tests: Mapping[str, Any],
        *,
        tests_column: str,
        problem_id: str,
        time_limit: float | None = None,
        memory_limit: int | None = None,
        **columns: Any,
    ) -> dict[str, Any]:
        """
        Make a row in our columns.

        Args:
            prompt (`str`): Input of the model.
            tests (`Mapping`): Unit tests in one of the three formats.
            tests_column (`str`): The column that the tests come from.
            problem_id (`str`): Name of the problem.
            time_limit (`float`, *optional*): Seconds per test, if the benchmark gives a limit.
            memory_limit (`int`, *optional*): Bytes of memory, if the benchmark gives a limit.
            columns (`Any`): Values of the columns `solutions`, `difficulty` and `starter_code`, see [`~data.problems.make_problem`].

        Returns:
            `dict[str, Any]`: One row with the columns of `BENCHMARK_FEATURES`.

        Raises:
            BadRow: If the tests are malformed or empty.
        """
        for column, text in (("problem_id", problem_id), ("difficulty", columns.get("difficulty", ""))):
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise self.bad(column, f"the text contains half a surrogate pair ({error})") from error
        try:
            problem = make_problem(
                prompt,
                tests,
                problem_id=problem_id,
                where=f"{self.where}, column `{tests_column}`",
                **columns,
            )
        except ValueError as error:
            raise BadRow(tests_column, str(error)) from error
        return {**problem, "time_limit": time_limit, "memory_limit": memory_limit}
