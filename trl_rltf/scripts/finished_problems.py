"""Keep the finished problems of a command, so that the same command resumes it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TextIO, TypeVar

from .. import __version__
from ..execution.limits import problem_limits


Result = TypeVar("Result")


class FinishedProblems(Generic[Result]):
    """
    A file with one line per finished problem.

    A problem is found again by its content and by the settings of its programs, so that a changed row is done again.

    Args:
        path (`Path`): The file. Lines that cannot be read, such as the last one of a killed process, are skipped.
        settings (`Mapping[str, Any]`): Settings that the results depend on.
        read (`Callable[[Any], Result]`): Makes a result again from its JSON.
        is_gradable (`Callable[[Result], bool]`): Whether the sandbox worked. Other results are not kept.
        num_solutions (`int`, *optional*): Number of solutions per problem that run. Defaults to all.
    """

    def __init__(
        self,
        path: Path,
        settings: Mapping[str, Any],
        *,
        read: Callable[[Any], Result],
        is_gradable: Callable[[Result], bool],
        num_solutions: int | None = None,
    ):
        self.path = path
        self.num_solutions = num_solutions
        self._settings = {"version": __version__, **settings}
        self._is_gradable = is_gradable
        self._found: dict[str, Result] = {}
        self._file: TextIO | None = None
        if path.is_file():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    key, content = json.loads(line)
                    self._found[key] = read(content)
                except (ValueError, TypeError, KeyError):
                    continue

    def get(self, problem: Mapping[str, Any]) -> Result | None:
        """
        Result of a problem.

        Args:
            problem (`Mapping[str, Any]`): A row of the dataset.

        Returns:
            `Result` or `None`: The result; `None` if the problem is not finished.
        """
        return self._found.get(self._key(problem))

    def add(self, problem: Mapping[str, Any], result: Result) -> None:
        """
        Add a finished problem.

        One whose programs could not be graded is done again by the next command.

        Args:
            problem (`Mapping[str, Any]`): A row of the dataset.
            result (`Result`): Its result, a dataclass.
        """
        key = self._key(problem)
        self._found[key] = result
        if not self._is_gradable(result):
            return
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a", encoding="utf-8")
            # A line that a killed process left without its end must not swallow the next one.
            self._file.write("\n")
        self._file.write(json.dumps([key, dataclasses.asdict(result)]) + "\n")  # type: ignore[call-overload]
        self._file.flush()

    def close(self) -> None:
        """Close the file and keep it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def delete(self) -> None:
        """Delete the file, after the report has been written."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _key(self, problem: Mapping[str, Any]) -> str:
        columns = [problem[name] for name in ("problem_id", "prompt", "tests")]
        solutions = problem["solutions"][: self.num_solutions]
        content = json.dumps([self._settings, *columns, solutions, problem_limits(problem)], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()
