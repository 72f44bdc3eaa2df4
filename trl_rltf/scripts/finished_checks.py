"""Keep the finished problems of a check, so that the same command resumes it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from .. import __version__
from ..data import CheckedProblem
from ..execution.limits import problem_limits


class FinishedChecks:
    """
    A file with one line per finished problem.

    A problem is found again by its content and by the settings of its programs, so that a changed row is checked again.

    Args:
        path (`Path`): The file. Lines that cannot be read, such as the last one of a killed process, are skipped.
        settings (`Mapping[str, Any]`): Settings that the results depend on.
        num_solutions (`int`): Number of solutions per problem that run.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], num_solutions: int):
        self.path = path
        self.num_solutions = num_solutions
        self._settings = {"version": __version__, **settings}
        self._found: dict[str, CheckedProblem] = {}
        self._file: TextIO | None = None
        if path.is_file():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    key, content = json.loads(line)
                    self._found[key] = CheckedProblem.from_dict(content)
                except (ValueError, TypeError, KeyError):
                    continue

    def get(self, problem: Mapping[str, Any]) -> CheckedProblem | None:
        """
        Result of a problem.

        Args:
            problem (`Mapping[str, Any]`): A row of the dataset.

        Returns:
            [`~data.CheckedProblem`] or `None`: The result; `None` if the problem is not finished.
        """
        return self._found.get(self._key(problem))

    def add(self, problem: Mapping[str, Any], result: CheckedProblem) -> None:
        """
        Add a finished problem.

        One whose programs could not be graded is checked again by the next command.

        Args:
            problem (`Mapping[str, Any]`): A row of the dataset.
            result ([`~data.CheckedProblem`]): Its result.
        """
        key = self._key(problem)
        self._found[key] = result
        if not all(program.is_gradable for program in result.programs):
            return
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a", encoding="utf-8")
            # A line that a killed process left without its end must not swallow the next one.
            self._file.write("\n")
        self._file.write(json.dumps([key, dataclasses.asdict(result)]) + "\n")
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
